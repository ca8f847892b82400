/** The charts of the page as one: same times, one cursor, one zoom, one keyboard. */

import { Chart } from "./chart.js";
import { ms, significant } from "./format.js";
import { HeatChart } from "./heatmap.js";
import { listen } from "./keys.js";
import { markNear } from "./marks.js";
import { askedUsers, isOver } from "./phase.js";
import { TOTAL } from "./series.js";
import { onThemeChange } from "./theme.js";

const SHORTEST_VIEW_S = 60; // a young run does not stretch three points over the whole width
const SHORTEST_WINDOW_S = 4;
const HALF_SECOND = 0.5; // a second is drawn around its beginning: lines and cells stand over each other
const MOST_AREAS = 5; // lines with the extremes of their seconds behind them; with more nothing could be told apart
const LOOKS = {
  latency: { axis: ms, show: ms, unit: "ms", least: 10 },
  rps: { axis: significant, unit: "1/s" },
  users: { axis: significant, wholeOnly: true, least: 2 },
  total: { axis: significant, unit: "1/s" },
  failures: { axis: significant, unit: "1/s" },
};

export class Charts {
  /**
   * @param {HTMLElement} root holds the `[data-chart]` cards
   * @param {{onCursor: (place: number|null) => void, onWindow: (window: import("./address.js").Window|null) => void,
   *          onKey: (place: number) => void, onEndpoint: (index: number|null) => void, redraw: () => void}} told
   */
  constructor(root, told) {
    this.told = told;
    /** @type {import("./address.js").Window|null} */
    this.window = null;
    this.active = null;
    this.place = null;
    /** @type {import("./series.js").Series|null} */
    this.series = null;
    this.isOver = false;
    /** @type {import("./marks.js").Mark[]} */
    this.marks = [];
    this.heat = new HeatChart(root.querySelector("[data-chart=heat]"), this, told);
    this.list = [...root.querySelectorAll("[data-chart]")].map((card) =>
      (card.dataset.chart === "heat" ? this.heat : new Chart(card, LOOKS[card.dataset.chart], this)));
    for (const chart of this.list) listen(chart, this);
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.window && !document.querySelector("dialog[open], details.menu[open]")) this.leaveWindow();
    });
    onThemeChange(() => {
      for (const chart of this.list) chart.forget();
      told.redraw();
    });
  }

  /**
   * @param {import("./series.js").Series} series what is drawn: the whole run, or the window in finer steps
   * @param {{endpoints: object[], isTotalOn: boolean, metric: string, run: object, marks: import("./marks.js").Mark[]}} what
   */
  draw(series, what) {
    this.series = series;
    this.isOver = isOver(what.run);
    this.marks = what.marks;
    for (const chart of this.list) {
      if (chart !== this.heat) chart.draw(series.t, linesOf(chart.key, series, what), series.step);
    }
  }

  /** @param {import("./grid.js").Grid} grid */
  drawHeat(grid, isKnown) {
    if (this.series) this.heat.drawGrid(this.series.t, grid, isKnown, this.series.step);
  }

  /** From when to when the charts show. */
  range() {
    if (this.window) return [this.window.from - HALF_SECOND, this.window.to + HALF_SECOND];
    const { t } = this;
    if (t.length === 0) {
      const now = Date.now() / 1000;
      return [now - SHORTEST_VIEW_S, now];
    }
    return [t[0] - HALF_SECOND, Math.max(t[t.length - 1], t[0] + (this.isOver ? SHORTEST_WINDOW_S : SHORTEST_VIEW_S)) + HALF_SECOND];
  }

  /** Show a stretch of time, in whole seconds. */
  zoomTo(from, to) {
    let [first, last] = [Math.round(from), Math.round(to)];
    const missing = SHORTEST_WINDOW_S - 1 - (last - first);
    if (missing > 0) [first, last] = [first - Math.floor(missing / 2), last + Math.ceil(missing / 2)];
    this.window = { from: first, to: last };
    this.told.onWindow(this.window);
  }

  leaveWindow() {
    if (!this.window) return;
    this.window = null;
    this.told.onWindow(null);
  }

  /** Every chart reports; they agree, because they share the times. */
  cursorMoved(place) {
    if (place === this.place) return;
    this.place = place;
    this.told.onCursor(place);
  }

  /** By keyboard, so that somebody may listen. */
  keyMoved(place) {
    this.told.onKey(place);
  }

  /** Times of what is drawn. */
  get t() {
    return this.series?.t ?? [];
  }

  /** What is marked at a moment, within some pixels. */
  markNear(t) {
    const [from, to] = this.range();
    return markNear(this.marks, t, (to - from) / 100);
  }

  /** The ends of the run as far as it has been measured; in a window finer steps know of the window only. */
  setEnds(first, last) {
    [this.firstT, this.lastT] = [first, last];
  }
}

/** @returns {import("./chart.js").Line[]} */
function linesOf(key, series, { endpoints, isTotalOn, metric, run, marks }) {
  const whole = (name, look) => ({
    key: TOTAL, dash: 0, width: 2, values: series.column(TOTAL, name), ...areaOf(series, TOTAL, name), ...look,
  });
  const each = (name) => endpoints.map((endpoint) => ({
    key: endpoint.index, label: endpoint.label, color: `--h-series-${endpoint.look.color}`, dash: endpoint.look.dash,
    width: 1.5, values: series.column(endpoint.index, name),
    ...(endpoints.length <= MOST_AREAS ? areaOf(series, endpoint.index, name) : {}),
  }));
  switch (key) {
    case "latency": return [...(isTotalOn ? [whole(metric, { color: "--h-ink", width: 2.5 })] : []), ...each(metric)];
    case "rps": return each("rps");
    case "total": return [whole("rps", { color: "--h-accent", isFilled: true })];
    case "failures": return [whole("failures_per_s", { color: "--h-failed", width: 1.25, isFilled: true })];
    case "users": return [
      { key: "asked", label: "", color: "--h-ink-2", dash: 1, width: 1.25, values: askedOver(series, run, marks), isStepped: true },
      whole("users", { color: "--h-running", isFilled: true, isStepped: true }),
    ];
    default: return [];
  }
}

/** The extremes of the seconds under each point; where there is but one second, that one. */
function areaOf(series, key, metric) {
  const ends = series.ends(key, metric);
  if (!ends) return {};
  const values = series.column(key, metric);
  return { low: ends.low.map((low, place) => low ?? values[place]), high: ends.high.map((high, place) => high ?? values[place]) };
}

/** Users that were wanted: as the child said, else as planned until somebody changed that. */
function askedOver(series, run, marks) {
  const told = series.column(TOTAL, "target_users");
  const start = run?.started_at ? Date.parse(run.started_at) / 1000 : Infinity;
  const changed = Math.min(...marks.filter((mark) => mark.kind === "control").map((mark) => mark.t));
  return series.t.map((t, place) => told[place] ?? (t >= start && t < changed ? askedUsers(run, t - start) : null));
}
