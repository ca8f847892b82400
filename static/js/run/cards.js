/** What stands around the charts: the switch of the response time, readings under the cursor, table, CSV and picture. */

import { setHidden, setText } from "./dom.js";
import { chartCsv, chartTable, saveCsv, saveHistogram, savePng } from "./export.js";
import { count, duration, ms, perSecond, time, utc } from "./format.js";
import { TOTAL } from "./series.js";
import { text } from "./text.js";

const TABLE_EVERY_MS = 2_000; // a table that changes faster cannot be read
const UNITS = { latency: "ms", rps: "1/s", total: "1/s", failures: "1/s" };
const STORED = "hatchery-run-metric";

export class ChartCards {
  /**
   * @param {HTMLElement} root
   * @param {{charts: import("./charts.js").Charts, histogram: import("./distribution.js").Histogram,
   *          store: import("./store.js").Store, figures: import("./window.js").Figures, name: string, redraw: () => void}} options
   *        `name` begins the names of files
   */
  constructor(root, { charts, histogram, store, figures, name, redraw }) {
    Object.assign(this, { charts, histogram, store, figures, name, redraw });
    this.momentLine = root.querySelector("[data-moment]");
    this.spoken = root.querySelector("[data-spoken]");
    this.buttons = [...root.querySelectorAll("[data-metric]")];
    this.tables = new Map();
    this.#choose(remembered(this.buttons) ?? "p95_ms");
    for (const button of this.buttons) {
      button.addEventListener("click", () => {
        this.#choose(button.dataset.metric);
        redraw();
      });
    }
    for (const chart of [...charts.list, histogram]) {
      chart.card.querySelector(".menu-panel").addEventListener("click", (event) => this.#act(chart, event));
    }
  }

  /** Where the values are read: under the cursor, else the newest. */
  placeShown() {
    const { series, place } = this.charts;
    return place ?? (series ? series.t.length - 1 : -1);
  }

  /** Totals, where they say more than the last second: of a window or a run that is over, and no cursor stands anywhere. */
  get totalsShown() {
    return this.charts.place === null && this.figures.isSettled ? this.figures.totals : null;
  }

  drawReadings(place) {
    const { series } = this.charts;
    if (!series) return;
    const readings = this.totalsShown ? this.#wholeRun(this.totalsShown) : this.#moment(series, place);
    for (const chart of this.charts.list) setText(chart.card.querySelector("[data-reading]"), readings[chart.key] ?? "");
    setText(this.momentLine, this.charts.place === null ? "" : this.#momentText(series.t[place]));
    this.momentLine.title = this.charts.place === null ? "" : utc(series.t[place]);
  }

  /** For those who move the cursor by keyboard and listen. */
  speak(place) {
    const { series } = this.charts;
    this.drawReadings(place);
    const words = this.charts.list
      .filter((chart) => chart.key !== "rps")
      .map((chart) => `${chart.title} ${chart.card.querySelector("[data-reading]").textContent}`);
    this.spoken.textContent = [this.#momentText(series.t[place]), ...words].join(", ");
  }

  /** Open tables, but not more often than they can be read. */
  drawTables() {
    const now = performance.now();
    for (const [chart, drawnAt] of this.tables) {
      if (now - drawnAt < TABLE_EVERY_MS) continue;
      this.tables.set(chart, now);
      const range = this.charts.range();
      chart.card.querySelector("[data-table]").replaceChildren(...(chart.table?.(range) ?? chartTable(chart, range)));
    }
  }

  #moment(series, place) {
    const at = (metric) => series.at(TOTAL, metric, place);
    return {
      latency: ms(at(this.metric)), users: count(at("users")),
      total: perSecond(at("rps")), failures: perSecond(at("failures_per_s")),
      heat: this.charts.place === null ? "" : this.charts.heat.reading(series.t[place]),
    };
  }

  #wholeRun(totals) {
    const whole = (value) => text(this.figures.window ? "over_window" : "over_run", { value });
    return {
      latency: this.metric in totals ? whole(ms(totals[this.metric])) : "",
      total: whole(perSecond(totals.rps)), failures: whole(count(totals.failures)),
    };
  }

  #momentText(t) {
    const start = this.store.run.started_at ? Date.parse(this.store.run.started_at) / 1000 : null;
    const mark = this.charts.markNear(t);
    return [
      time(t),
      start === null || t < start ? "" : text("into_run", { time: duration(t - start) }),
      mark ? `${text(`mark_${mark.kind}`)}: ${mark.text}` : "",
    ].filter(Boolean).join(" · ");
  }

  #choose(metric) {
    this.metric = metric;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.metric === metric));
    try {
      localStorage.setItem(STORED, metric);
    } catch {
      // storage is switched off: for this page only
    }
  }

  #act(chart, event) {
    const button = event.target.closest("[data-chart-act]");
    if (!button) return;
    chart.card.querySelector("details.menu").open = false;
    const file = `${this.name}-${chart.key}`;
    if (button.dataset.chartAct === "csv") saveCsv(file, chart.csv?.(this.charts.range()) ?? chartCsv(chart, this.charts.range(), UNITS[chart.key]));
    else if (button.dataset.chartAct === "png") (chart === this.histogram ? saveHistogram : savePng)(this.name, chart);
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

function remembered(buttons) {
  try {
    const found = localStorage.getItem(STORED);
    return buttons.some((button) => button.dataset.metric === found) ? found : null;
  } catch {
    return null;
  }
}
