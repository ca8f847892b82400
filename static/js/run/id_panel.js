/** The tab of IDs: asked for when it is opened, and anew when the run has ended meanwhile. */

import { icon, make, setHidden, setText } from "./dom.js";
import { saveCsv } from "./export.js";
import { count, time, utc } from "./format.js";
import { listsOf, rowsOf, unknownOf, verdictOf } from "./identities.js";
import { text } from "./text.js";

const AGAIN_MS = 10_000;
const MOST_LISTED = 100;
const MARKS = { good: ["check", "tone-passed"], bad: ["warning", "tone-failed"], partly: ["info", "tone-invalid"], idle: ["info", "muted"] };

export class IdPanel {
  /** @param {HTMLElement} panel @param {{api: import("./api.js").Api, name: string}} options `name` begins that of the CSV file */
  constructor(panel, { api, name }) {
    Object.assign(this, { panel, api });
    this.find = (part) => panel.querySelector(`[data-ids-${part}]`);
    this.report = null;
    this.askedAt = -Infinity;
    this.askedOf = "";
    this.find("csv").addEventListener("click", () => saveCsv(`${name}-ids`, rowsOf(this.report)));
    this.find("again").addEventListener("click", () => this.#fetch());
  }

  /** It is open. @param {object} run */
  async render(run) {
    setHidden(this.find("again"), run.finished_at !== null);
    if (this.askedOf === run.state && performance.now() - this.askedAt < AGAIN_MS) return;
    if (this.askedOf === run.state && this.report && run.finished_at) return; // nothing more comes
    this.askedOf = run.state;
    await this.#fetch();
  }

  async #fetch() {
    this.askedAt = performance.now();
    try {
      this.report = await this.api.get("identities/");
      this.#draw(this.report);
    } catch (error) {
      this.askedOf = ""; // the next look asks again
      this.#say("warning", "tone-invalid", [error.message]);
    }
  }

  #say(name, tone, sentences) {
    this.find("verdict").className = `ids-verdict ${tone}`;
    this.find("verdict").replaceChildren(icon(name), make("span", { text: sentences.join(" ") }));
  }

  #draw(report) {
    const verdict = verdictOf(report);
    const isKnown = verdict.kind !== "none";
    setHidden(this.find("verdict"), !isKnown);
    setHidden(this.find("none"), isKnown);
    setHidden(this.find("some"), !isKnown);
    if (!isKnown) return;
    const words = verdict.sentences.map(({ name, values }) => text(name, shown(values)));
    this.#say(...MARKS[verdict.kind], words);
    const unknown = unknownOf(report);
    setHidden(this.find("incomplete"), unknown === 0);
    setText(this.find("incomplete").querySelector("[data-words]"), text("ids_incomplete", shown({ count: unknown, ...report.incomplete })));
    this.find("workers").replaceChildren(...report.workers.map(workerRow));
    this.find("lists").replaceChildren(...listsOf(report).map(listCard));
  }
}

const shown = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, count(value)]));
const number = (value, tone = "") => make("td", { class: `num ${value > 0 ? tone : ""}`, text: count(value) });
const id = (value) => make("bdi", { class: "mono", text: value });

function workerRow(row) {
  return make("tr", {},
    make("th", { scope: "row", class: "num", text: count(row.worker + 1) }),
    make("td", { class: "nowrap" }, id(row.first), " – ", id(row.last)),
    number(row.used), number(row.unused), number(row.borrowed), number(row.out_of_range, "tone-failed"), number(row.leases));
}

function listCard({ kind, count: all, listed, more }) {
  return make("section", { class: "card ids-list" },
    make("h3", { text: text(`ids_list_${kind}`, { count: count(all) }) }),
    make("ul", {}, ...listed.slice(0, MOST_LISTED).map((one) => make("li", {}, id(one.id), make("span", { class: "muted" }, ...LINES[kind](one)))),
      more > 0 ? make("li", { class: "muted", text: text("and_more", { count: count(more) }) }) : null));
}

const numbers = ({ first, last }) => [text(first === last ? "ids_number" : "ids_numbers", { first: count(first), last: count(last) })];
const LINES = {
  duplicates: ({ workers, classes, from, to }) => {
    const owners = workers.map((worker, place) => text("ids_owner", { number: count(worker + 1), name: classes[place] || "?" }));
    return [make("bdi", { text: owners.join(" · ") }), " ", make("span", { class: "nowrap", title: `${utc(from)} – ${utc(to)}`, text: `${time(from)}–${time(to)}` })];
  },
  out_of_range: ({ worker }) => [text("worker_short", { number: count(worker + 1) })],
  gaps: numbers,
  repeats: numbers,
};
