/** The table of endpoints: sorted, filtered, one row an endpoint for as long as the page lives. */

import { make, makeSvg, setHidden, setText, swatch } from "./dom.js";
import { bytes, count, ms, oneLine, share, significant } from "./format.js";
import { LATENCIES, SPARK_HEIGHT, SPARK_WIDTH, meanBytes, rateNow, sorted, sparkPath } from "./rows.js";
import { text } from "./text.js";

export class EndpointTable {
  /**
   * @param {HTMLElement} root
   * @param {{selection: import("./selection.js").Selection, onChange: () => void, onRefused: () => void}} options
   */
  constructor(root, { selection, onChange, onRefused }) {
    this.root = root;
    this.table = root.querySelector("[data-endpoints]");
    this.body = this.table.tBodies[0];
    this.foot = this.table.tFoot;
    this.selection = selection;
    this.onChange = onChange;
    this.onRefused = onRefused;
    this.column = "requests";
    this.isAscending = false;
    this.rows = new Map();
    this.order = "";
    this.filter = root.querySelector("[data-filter]");
    this.filter.addEventListener("input", () => this.redraw());
    for (const head of this.table.querySelectorAll("[data-sort]")) this.#makeSortable(head);
    this.body.addEventListener("click", (event) => this.#clicked(event));
  }

  /** @param {import("./store.js").Store} store @param {import("./window.js").Figures} figures of what is shown */
  render(store, figures) {
    this.last = [store, figures];
    const words = this.filter.value.trim().toLowerCase();
    const all = [...store.endpoints.values()];
    for (const endpoint of all) {
      endpoint.shown = figures.totalsOf(endpoint);
      endpoint.rps = rateNow(endpoint, endpoint.shown, figures.isSettled);
    }
    const found = words ? all.filter((one) => one.label.toLowerCase().includes(words)) : all;
    setText(this.root.querySelector("[data-filter-count]"), words ? text("rows_shown", { shown: found.length, all: all.length }) : "");
    setHidden(this.root.querySelector("[data-none]"), all.length > 0);
    setHidden(this.table, all.length === 0);
    this.#arrange(sorted(found, this.column, this.isAscending));
    for (const endpoint of found) this.#fill(this.#row(endpoint), endpoint, endpoint.shown, endpoint.rps);
    this.#drawFoot(store, figures);
  }

  redraw() {
    this.order = "";
    if (this.last) this.render(...this.last);
  }

  /** Head and rows for a CSV file, as sorted and filtered now. */
  csv() {
    const [store] = this.last;
    const head = ["method", "name", "requests", "failures", "rps", ...LATENCIES, "bytes"];
    return [head, ...[...this.body.rows].map((row) => {
      const { method, name, shown: totals, rps } = store.endpoints.get(Number(row.dataset.index));
      return [method, name, totals.requests, totals.failures, rps, ...LATENCIES.map((key) => totals[key]), totals.bytes];
    })];
  }

  /** Rows keep their place while somebody points at them or works in them. */
  #arrange(endpoints) {
    const order = endpoints.map((endpoint) => endpoint.index).join();
    const isBusy = this.order && (this.body.matches(":hover") || this.body.contains(document.activeElement));
    if (order === this.order || (isBusy && this.body.rows.length === endpoints.length)) return;
    this.order = order;
    this.body.replaceChildren(...endpoints.map((endpoint) => this.#row(endpoint).element));
  }

  #row(endpoint) {
    const made = this.rows.get(endpoint.index);
    if (made) return made;
    const label = oneLine(endpoint.label);
    const box = make("input", { type: "checkbox", class: "form-check-input", "aria-label": text("line_of", { name: label }) });
    const name = make("button", { type: "button", class: "endpoint-name", title: `${label}\n${text("only_this")}` },
      endpoint.method ? make("span", { class: "endpoint-method", text: oneLine(endpoint.method, 12) }) : null,
      make("bdi", { text: oneLine(endpoint.name) }));
    const path = makeSvg("path");
    const spark = makeSvg("svg", { class: "spark", viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, path);
    const row = this.#cells(
      make("td", { class: "cell-check" }, box, swatch(endpoint.look)),
      make("td", { class: "cell-name" }, name),
      make("td", { class: "cell-spark" }, spark),
    );
    row.element.dataset.index = endpoint.index;
    Object.assign(row, { box, path });
    this.rows.set(endpoint.index, row);
    return row;
  }

  #cells(check, name, spark) {
    const cells = {};
    const cell = (key) => (cells[key] = make("td", { class: "num" }));
    const element = make("tr", {}, check, name, cell("requests"), cell("failed"), cell("rps"), spark,
      ...LATENCIES.map(cell), cell("bytes"));
    return { element, cells, seen: {} };
  }

  #fill(row, endpoint, totals, rps) {
    const put = (key, raw, show) => {
      if (row.seen[key] === raw) return;
      row.seen[key] = raw;
      row.cells[key].textContent = show();
    };
    put("requests", totals.requests, () => count(totals.requests));
    put("failed", `${totals.failures}/${totals.requests}`, () => share(totals.failures, totals.requests));
    row.cells.failed.classList.toggle("tone-failed", totals.failures > 0);
    put("rps", rps, () => significant(rps));
    for (const key of LATENCIES) put(key, totals[key], () => ms(totals[key]));
    put("bytes", meanBytes(totals), () => bytes(meanBytes(totals)));
    if (!endpoint) return;
    row.box.checked = this.selection.has(endpoint.index);
    row.element.classList.toggle("is-only", this.selection.isOnly(endpoint.index));
    row.path.setAttribute("d", sparkPath(endpoint.spark));
  }

  #drawFoot(store, figures) {
    if (!this.total) {
      this.total = this.#cells(make("td"), make("th", { scope: "row", class: "cell-name", text: text("all_endpoints") }), make("td"));
      this.foot.append(this.total.element);
    }
    const { totals } = figures;
    const rps = figures.isSettled ? totals.rps : [...store.endpoints.values()].reduce((sum, one) => sum + (one.rps ?? 0), 0);
    this.#fill(this.total, null, totals, rps);
  }

  #makeSortable(head) {
    const column = head.dataset.sort;
    const button = make("button", { type: "button", class: "sort", text: head.textContent.trim() });
    head.replaceChildren(button);
    head.setAttribute("aria-sort", column === this.column ? "descending" : "none");
    button.addEventListener("click", () => {
      this.isAscending = column === this.column ? !this.isAscending : column === "label";
      this.column = column;
      for (const other of this.table.querySelectorAll("[data-sort]")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", this.isAscending ? "ascending" : "descending");
      this.redraw();
    });
  }

  #clicked(event) {
    const row = event.target.closest("tr[data-index]");
    if (!row) return;
    const index = Number(row.dataset.index);
    if (event.target.matches("input")) {
      if (!this.selection.toggle(index)) this.onRefused();
    } else if (!event.target.closest(".cell-check") && !getSelection().toString()) this.selection.only(index);
    this.onChange();
  }
}
