/** The menus of the charts' cards: what is shown as a table, as CSV, as a picture. */

import { setHidden } from "./dom.js";
import { chartCsv, chartTable, saveCsv, savePng } from "./export.js";
import { text } from "./text.js";

const TABLE_EVERY_MS = 2_000; // a table that changes faster cannot be read

export class CardMenus {
  /**
   * @param {object[]} charts with a `card`, a `key` and, where they are no `Chart`, with `csv` and `table` of their own
   * @param {{name: string, range: () => [number, number], redraw: () => void}} options `name` begins the names of files
   */
  constructor(charts, { name, range, redraw }) {
    Object.assign(this, { name, range, redraw });
    /** Charts whose table is open, and when it was drawn. */
    this.tables = new Map();
    for (const chart of charts) {
      chart.card.querySelector(".menu-panel").addEventListener("click", (event) => this.#act(chart, event));
    }
  }

  /** Open tables, but not more often than they can be read. */
  drawTables() {
    const now = performance.now();
    for (const [chart, drawnAt] of this.tables) {
      if (now - drawnAt < TABLE_EVERY_MS) continue;
      this.tables.set(chart, now);
      const range = this.range();
      chart.card.querySelector("[data-table]").replaceChildren(...(chart.table?.(range) ?? chartTable(chart, range)));
    }
  }

  #act(chart, event) {
    const button = event.target.closest("[data-chart-act]");
    if (!button) return;
    chart.card.querySelector("details.menu").open = false;
    if (button.dataset.chartAct === "csv") saveCsv(`${this.name}-${chart.key}`, chart.csv?.(this.range()) ?? chartCsv(chart, this.range()));
    else if (button.dataset.chartAct === "png") savePng(this.name, chart);
    else this.#toggleTable(chart, button);
  }

  #toggleTable(chart, button) {
    const isOpen = !this.tables.has(chart);
    if (isOpen) this.tables.set(chart, -Infinity);
    else this.tables.delete(chart);
    button.setAttribute("aria-pressed", String(isOpen));
    button.lastChild.textContent = text(isOpen ? "table_hide" : "table_show");
    setHidden(chart.card.querySelector("[data-table]"), !isOpen);
    chart.card.classList.toggle("has-table", isOpen);
    this.redraw();
  }
}
