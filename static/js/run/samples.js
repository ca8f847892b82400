/** The failures, each with the requests that are kept as its examples. All of it is what the target and the script said. */

import { writeClipboard } from "./clipboard.js";
import { icon, make, setHidden, setText } from "./dom.js";
import { bytes, count, ms, oneLine, plain, time, utc } from "./format.js";
import { text } from "./text.js";

const MOST_ROWS = 500;
const AROUND_S = 15; // seconds before and after a moment that the charts then show
const MASK = "***";
const SHOWN_MASK = "••••";

export class Failures {
  /**
   * @param {HTMLElement} panel
   * @param {{api: import("./api.js").Api}} options
   */
  constructor(panel, { api }) {
    this.api = api;
    this.panel = panel;
    this.table = panel.querySelector("table");
    /** @type {Map<number, FailureRow>} */
    this.rows = new Map();
  }

  /** @param {{failures: object[], collector: string}} what */
  render({ failures, collector }) {
    setHidden(this.panel.querySelector("[data-some]"), failures.length === 0);
    setHidden(this.panel.querySelector("[data-none]"), failures.length > 0);
    const sorted = [...failures].sort((a, b) => b.occurrences - a.occurrences || a.index - b.index).slice(0, MOST_ROWS);
    const bodies = sorted.map((failure) => {
      if (!this.rows.has(failure.index)) this.rows.set(failure.index, new FailureRow(this.api));
      const row = this.rows.get(failure.index);
      row.render(failure, collector);
      return row.body;
    });
    const shown = [...this.table.tBodies];
    if (shown.length !== bodies.length || shown.some((body, place) => body !== bodies[place])) {
      const focused = document.activeElement;
      for (const body of shown) if (!bodies.includes(body)) body.remove();
      this.table.append(...bodies);
      if (this.table.contains(focused)) focused.focus();
    }
  }
}

/** One failure: a line, and under it its examples as soon as somebody wants to see them. */
class FailureRow {
  constructor(api) {
    this.api = api;
    this.isOpen = false;
    this.loaded = -1;
    this.button = make("button", { class: "icon-button", type: "button", "aria-expanded": "false" }, icon("chevron-right"));
    this.button.addEventListener("click", () => this.#toggle());
    const cell = (name, ...children) => make("td", { class: name }, ...children);
    this.cells = { index: cell("num muted"), count: cell("num tone-failed"), first: cell("num of-run"), last: cell("num of-run") };
    this.name = make("bdi");
    this.error = make("bdi");
    this.kept = make("span", { class: "muted nowrap" });
    const line = make("tr", {}, make("td", { class: "cell-open" }, this.button), this.cells.index, this.cells.count, cell("cell-name", this.name),
      cell("cell-error mono", this.error, this.kept), this.cells.first, this.cells.last);
    line.addEventListener("click", (event) => {
      if (!event.target.closest("button, a") && !String(getSelection())) this.#toggle();
    });
    this.box = make("div", { class: "samples" });
    this.more = make("tr", { class: "samples-row", hidden: true }, make("td", { colspan: 7 }, this.box));
    this.body = make("tbody", { class: "failure" }, line, this.more);
  }

  render(failure, collector) {
    Object.assign(this, { failure, collector });
    const label = oneLine(`${failure.method} ${failure.name}`);
    setText(this.cells.index, String(failure.index ?? ""));
    setText(this.cells.count, count(failure.occurrences));
    setText(this.name, label);
    this.name.title = oneLine(failure.name);
    setText(this.error, plain(failure.error));
    setText(this.kept, failure.samples ? text("samples_kept", { count: count(failure.samples) }) : "");
    this.button.setAttribute("aria-label", text("samples_of", { name: label }));
    for (const [cell, at] of [[this.cells.first, failure.first_seen], [this.cells.last, failure.last_seen]]) {
      setText(cell, at ? time(at) : "–");
      cell.title = at ? utc(at) : "";
    }
    if (this.isOpen && failure.samples !== this.loaded) this.#fetch();
  }

  #toggle() {
    this.isOpen = !this.isOpen;
    this.button.setAttribute("aria-expanded", String(this.isOpen));
    this.body.classList.toggle("is-open", this.isOpen);
    setHidden(this.more, !this.isOpen);
    if (this.isOpen && this.failure.samples !== this.loaded) this.#fetch();
  }

  async #fetch() {
    const wanted = this.failure.samples;
    if (!wanted) {
      this.loaded = wanted;
      return this.#say(text(this.collector === "csv" ? "samples_csv" : "samples_none"));
    }
    if (this.loaded <= 0) this.#say(text("loading"));
    try {
      const rows = await this.api.rows(`failures/${this.failure.index}/samples/`);
      this.loaded = wanted;
      const open = new Set([...this.box.querySelectorAll("details[open]")].map((fold) => fold.dataset.key));
      this.box.replaceChildren(...rows.map((row, place) => sampleCard(row, place, open)));
    } catch (error) {
      this.#say(error.message);
    }
    return undefined;
  }

  #say(sentence) {
    this.box.replaceChildren(make("p", { class: "muted nothing", text: sentence }));
  }
}

/** One failing request: a line, and folded under it what was sent and what came back. */
function sampleCard(sample, place, open) {
  const key = `${place}`;
  const facts = [
    sample.status === null ? text("no_answer") : text("status", { status: sample.status }),
    ms(sample.response_ms), sample.body_bytes === null ? null : bytes(sample.body_bytes),
  ].filter((fact) => fact !== null);
  const summary = make("summary", {},
    make("span", { class: "nowrap", title: utc(sample.at), text: time(sample.at) }), " ",
    make("b", { text: oneLine(sample.method, 50) }), " ",
    make("bdi", { class: "mono break", text: masked(oneLine(sample.url, 2_000)) }), " ",
    make("span", { class: "tone-failed nowrap", text: facts.join(" · ") }));
  return make("details", { class: "sample", "data-key": key, open: open.has(key) || (place === 0 && !open.size) }, summary,
    make("p", { class: "sample-acts" }, make("a", { href: windowHash(sample.at) }, icon("chart"), ` ${text("show_in_charts")}`)),
    headersTable(text("request_headers"), sample.request_headers),
    headersTable(text("response_headers"), sample.response_headers),
    bodyBox(sample));
}

function headersTable(title, headers) {
  const rows = Object.entries(headers ?? {});
  if (!rows.length) return null;
  const table = make("table", { class: "table headers" }, make("caption", { text: title }), make("tbody", {}, ...rows.map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, make("bdi", { text: oneLine(name, 200) })), make("td", { class: "mono break" },
      make("bdi", { text: masked(String(value)), title: String(value).includes(MASK) ? text("masked") : false }))))));
  return make("div", { class: "table-wrap" }, table);
}

function bodyBox({ body, body_bytes: whole }) {
  if (!body) return make("p", { class: "muted", text: text("no_body") });
  const size = new TextEncoder().encode(body).length;
  const isCut = whole !== null && whole > size;
  const button = make("button", { class: "btn btn-sm", type: "button" }, icon("copy"), make("span", { text: text("copy") }));
  const block = make("pre", { class: "sample-body", tabindex: 0, text: body });
  button.addEventListener("click", async () => {
    const isDone = await writeClipboard(body, block);
    setText(button.lastChild, text(isDone ? "copied" : "selected"));
    setTimeout(() => setText(button.lastChild, text("copy")), 1_500);
  });
  return make("div", {}, make("div", { class: "sample-bar" }, make("b", { text: text("body") }),
    isCut ? make("span", { class: "muted", text: text("body_cut", { shown: bytes(size), all: bytes(whole) }) }) : null, button), block);
}

const masked = (value) => value.replaceAll(MASK, SHOWN_MASK);

/** The address of the seconds around a moment. */
export function windowHash(at, tab = "failures", around = AROUND_S) {
  const t = Math.floor(Date.parse(at) / 1000);
  return `#${tab}&from=${t - around}&to=${t + around}`;
}
