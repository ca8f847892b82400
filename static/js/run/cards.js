/** What stands around the charts: the switch of the response time, readings under the cursor, the menus. */

import { CardMenus } from "./card_menus.js";
import { setText } from "./dom.js";
import { count, ms, perSecond, utc } from "./format.js";
import { momentWords } from "./moment.js";
import { TOTAL } from "./series.js";
import { text } from "./text.js";

const STORED = "hatchery-run-metric";

export class ChartCards {
  /**
   * @param {HTMLElement} root
   * @param {{charts: import("./charts.js").Charts, histogram: import("./distribution.js").Histogram,
   *          store: import("./store.js").Store, figures: import("./window.js").Figures, name: string, redraw: () => void}} options
   *        `name` begins the names of files
   */
  constructor(root, { charts, histogram, store, figures, name, redraw }) {
    Object.assign(this, { charts, store, figures });
    this.momentLine = root.querySelector("[data-moment]");
    this.spoken = root.querySelector("[data-spoken]");
    this.buttons = [...root.querySelectorAll("[data-metric]")];
    this.menus = new CardMenus([...charts.list, histogram], { name, range: () => charts.range(), redraw });
    this.#choose(remembered(this.buttons) ?? "p95_ms");
    for (const button of this.buttons) {
      button.addEventListener("click", () => {
        this.#choose(button.dataset.metric);
        redraw();
      });
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
    return momentWords(t, this.store.run, this.charts.markNear(t));
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
}

function remembered(buttons) {
  try {
    const found = localStorage.getItem(STORED);
    return buttons.some((button) => button.dataset.metric === found) ? found : null;
  } catch {
    return null;
  }
}
