/** Charts with a line a worker: they have the times, the cursor, the window and the marks of the charts of endpoints. */

import { CardMenus } from "./card_menus.js";
import { Chart } from "./chart.js";
import { setText } from "./dom.js";
import { bytes, count, ms, percentage, perSecond, significant, utc } from "./format.js";
import { listen } from "./keys.js";
import { momentWords } from "./moment.js";
import { isOver } from "./phase.js";
import { onThemeChange } from "./theme.js";
import { text } from "./text.js";
import { extremes, lookOf, nearest, numberOf } from "./workers.js";

const LOOKS = {
  "worker-rps": { metric: "rps", axis: significant, show: perSecond, unit: "1/s" },
  "worker-users": { metric: "users", axis: significant, show: count, wholeOnly: true, least: 2, isStepped: true },
  "worker-cpu": { metric: "cpu_percent", axis: percentage, show: percentage, unit: "%", least: 20 },
  "worker-lag": { metric: "lag_ms", axis: ms, show: ms, unit: "ms", least: 10 },
  "worker-rss": { metric: "rss_bytes", axis: bytes, show: bytes, unit: "B" },
};

class WorkerChart extends Chart {
  /** The worker whose line is nearest to the mouse, unless something is marked there. */
  tipText(u) {
    const mark = super.tipText(u);
    const place = u.cursor.idx;
    if (mark || place === null || place === undefined) return mark;
    const distance = ({ values }) => Math.abs(u.valToPos(values[place], "y") - u.cursor.top);
    const [closest] = this.lines.filter(({ values }) => values[place] !== null).sort((a, b) => distance(a) - distance(b));
    return closest ? `${closest.label}: ${this.look.show(closest.values[place])}` : "";
  }

  /** From the lowest to the highest of the workers. */
  reading(place) {
    const ends = extremes(this.lines.map(({ values }) => values[place]));
    if (!ends) return "";
    const [low, high] = ends.map(this.look.show);
    return low === high ? low : `${low} – ${high}`;
  }
}

export class WorkerCharts {
  /**
   * @param {HTMLElement} root holds the `[data-chart]` cards
   * @param {{charts: import("./charts.js").Charts, store: import("./store.js").Store, name: string,
   *          onSpeak: (words: string) => void}} options `charts` are those of endpoints; `name` begins the names of files
   */
  constructor(root, { charts, store, name, onSpeak }) {
    Object.assign(this, { charts, store, onSpeak });
    this.t = [];
    /** Where the cursor stands, as long as it is moved in one of these charts. */
    this.own = null;
    this.momentLine = root.querySelector("[data-worker-moment]");
    this.list = [...root.querySelectorAll("[data-chart]")].map((card) => new WorkerChart(card, LOOKS[card.dataset.chart], this));
    for (const chart of this.list) listen(chart, this);
    this.menus = new CardMenus(this.list, { name, range: () => this.range(), redraw: () => this.#again() });
    onThemeChange(() => {
      for (const chart of this.list) chart.forget();
      this.#again();
    });
  }

  /** @param {object[]} workers rows @param {{t: number[], step: number, lines: Map<number, object>}} shown */
  draw(workers, shown) {
    this.last = [workers, shown];
    this.t = shown.t;
    const drawn = workers.filter(({ index }) => shown.lines.has(index));
    for (const chart of this.list) {
      const lines = drawn.map((worker) => lineOf(worker, shown.lines.get(worker.index)[chart.look.metric], chart.look));
      chart.draw(shown.t, lines, shown.step);
    }
    this.menus.drawTables();
    this.read();
  }

  /** The readings: under the cursor, else the newest; of a run that is over there is none without a cursor. */
  read() {
    const { place, t } = this;
    const shown = place ?? (isOver(this.store.run) ? null : t.length - 1);
    for (const chart of this.list) setText(chart.card.querySelector("[data-reading]"), shown === null ? "" : chart.reading(shown));
    setText(this.momentLine, place === null ? "" : this.#momentText(place));
    this.momentLine.title = place === null ? "" : utc(t[place]);
  }

  // What charts, keyboard and menus ask their group for.

  get place() {
    const { active, place, series } = this.charts;
    if (place === null || this.t.length === 0) return null;
    if (this.list.includes(active)) return Math.min(this.own ?? Infinity, this.t.length - 1);
    return series ? nearest(this.t, series.t[place]) : null;
  }

  get marks() {
    return this.charts.marks;
  }

  get active() {
    return this.charts.active;
  }

  set active(chart) {
    this.charts.active = chart;
  }

  get window() {
    return this.charts.window;
  }

  get firstT() {
    return this.charts.firstT;
  }

  get lastT() {
    return this.charts.lastT;
  }

  range() {
    return this.charts.range();
  }

  zoomTo(from, to) {
    this.charts.zoomTo(from, to);
  }

  leaveWindow() {
    this.charts.leaveWindow();
  }

  /** The charts of endpoints may have other times: the same moment is meant. */
  cursorMoved(place) {
    this.own = place;
    this.charts.cursorMoved(place === null || !this.charts.t.length ? null : nearest(this.charts.t, this.t[place]));
    this.read(); // the same place of theirs may be several of ours
  }

  keyMoved(place) {
    const words = this.list.map((chart) => `${chart.title} ${chart.reading(place)}`);
    this.onSpeak([this.#momentText(place), ...words].join(", "));
  }

  #momentText(place) {
    return momentWords(this.t[place], this.store.run, this.charts.markNear(this.t[place]));
  }

  #again() {
    if (this.last) this.draw(...this.last);
  }
}

function lineOf(worker, values, { isStepped }) {
  const look = lookOf(worker.index);
  const label = text("worker_on", { number: numberOf(worker), host: worker.host });
  return { key: worker.index, label, color: `--h-series-${look.color}`, dash: look.dash, width: 1.5, values, isStepped };
}
