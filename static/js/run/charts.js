/** The charts of the page as one: same times, one cursor, one zoom, one keyboard. */

import { Chart } from "./chart.js";
import { ms, significant } from "./format.js";
import { askedUsers, isOver } from "./phase.js";
import { TOTAL } from "./series.js";
import { onThemeChange } from "./theme.js";

const SHORTEST_VIEW_S = 60; // a young run does not stretch three points over the whole width
const SHORTEST_ZOOM_S = 4;
const LOOKS = {
  latency: { axis: ms, least: 10 },
  rps: { axis: significant },
  users: { axis: significant, wholeOnly: true, least: 2 },
  total: { axis: significant },
  failures: { axis: significant },
};
const MARKED = new Set(["note", "warning"]);

export class Charts {
  /**
   * @param {HTMLElement} root holds the `[data-chart]` cards
   * @param {{onCursor: (place: number|null) => void, onZoom: (zoom: {min: number, max: number}|null) => void,
   *          onKey: (place: number) => void, redraw: () => void}} told
   */
  constructor(root, told) {
    this.told = told;
    this.zoom = null;
    this.active = null;
    this.place = null;
    /** @type {import("./series.js").Series|null} */
    this.series = null;
    this.isOver = false;
    /** @type {{t: number, kind: string, text: string}[]} */
    this.markers = [];
    this.list = [...root.querySelectorAll("[data-chart]")].map((card) => new Chart(card, LOOKS[card.dataset.chart], this));
    for (const chart of this.list) {
      chart.plot.addEventListener("keydown", (event) => this.#key(chart, event));
      chart.plot.addEventListener("blur", () => this.#leaveCursor(chart));
    }
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.zoom && !document.querySelector("dialog[open], details.menu[open]")) this.leaveZoom();
    });
    onThemeChange(() => {
      for (const chart of this.list) chart.forget();
      told.redraw();
    });
  }

  /**
   * @param {import("./series.js").Series} series what is drawn: the whole run, or the zoomed part in finer steps
   * @param {{endpoints: object[], isTotalOn: boolean, metric: string, run: object, events: object[]}} what
   */
  draw(series, what) {
    this.series = series;
    this.isOver = isOver(what.run);
    this.markers = what.events
      .filter((event) => MARKED.has(event.kind))
      .map((event) => ({ t: Date.parse(event.at) / 1000, kind: event.kind, text: event.text }));
    for (const chart of this.list) chart.draw(series.t, linesOf(chart.key, series, what), series.step);
  }

  /** From when to when the charts show. */
  range() {
    if (this.zoom) return [this.zoom.min, this.zoom.max];
    const { t } = this.series;
    if (t.length === 0) {
      const now = Date.now() / 1000;
      return [now - SHORTEST_VIEW_S, now];
    }
    return [t[0], Math.max(t[t.length - 1], t[0] + (this.isOver ? SHORTEST_ZOOM_S : SHORTEST_VIEW_S))];
  }

  zoomTo(from, to) {
    const half = Math.max(to - from, SHORTEST_ZOOM_S) / 2;
    const middle = (from + to) / 2;
    this.zoom = { min: middle - half, max: middle + half };
    this.told.onZoom(this.zoom);
  }

  leaveZoom() {
    if (!this.zoom) return;
    this.zoom = null;
    this.told.onZoom(null);
  }

  /** Every chart reports; they agree, because they share the times. */
  cursorMoved(place) {
    if (place === this.place) return;
    this.place = place;
    this.told.onCursor(place);
  }

  /** The note or warning that stands at a moment, within some pixels. */
  markerNear(t) {
    const [from, to] = this.range();
    const reach = (to - from) / 100;
    return this.markers.find((marker) => Math.abs(marker.t - t) <= reach) ?? null;
  }

  #key(chart, event) {
    const t = this.series?.t ?? [];
    if (!chart.uplot || t.length === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const [from, to] = this.range();
    const first = t.findIndex((one) => one >= from);
    let last = t.length - 1;
    while (last > first && t[last] > to) last -= 1;
    const here = this.place ?? last;
    const stride = event.shiftKey ? 10 : 1;
    const goals = { ArrowLeft: here - stride, ArrowRight: here + stride, Home: first, End: last };
    if (event.key in goals) {
      const place = Math.min(last, Math.max(first, goals[event.key]));
      chart.pointAt(place);
      this.told.onKey(place);
    } else if (event.key === "+" || event.key === "-") {
      const reach = ((to - from) / 2) * (event.key === "+" ? 0.5 : 2);
      if (event.key === "-" && t[here] - reach <= t[0] && t[here] + reach >= t[t.length - 1]) this.leaveZoom();
      else this.zoomTo(Math.max(t[here] - reach, t[0]), Math.min(t[here] + reach, t[t.length - 1]));
    } else return;
    event.preventDefault();
  }

  #leaveCursor(chart) {
    chart.uplot?.setCursor({ left: -10, top: -10 }, true, true);
  }
}

/** @returns {import("./chart.js").Line[]} */
function linesOf(key, series, { endpoints, isTotalOn, metric, run }) {
  const whole = (name, look) => ({ key: TOTAL, dash: 0, width: 2, values: series.column(TOTAL, name), ...look });
  const each = (name) => endpoints.map((endpoint) => ({
    key: endpoint.index, label: endpoint.label, color: `--h-series-${endpoint.look.color}`, dash: endpoint.look.dash,
    width: 1.5, values: series.column(endpoint.index, name),
  }));
  switch (key) {
    case "latency": return [...(isTotalOn ? [whole(metric, { color: "--h-ink", width: 2.5 })] : []), ...each(metric)];
    case "rps": return each("rps");
    case "total": return [whole("rps", { color: "--h-accent", isFilled: true })];
    case "failures": return [whole("failures_per_s", { color: "--h-failed", width: 1.25, isFilled: true })];
    case "users": return [
      { key: "asked", label: "", color: "--h-ink-2", dash: 1, width: 1.25, values: askedOver(series, run), isStepped: true },
      whole("users", { color: "--h-running", isFilled: true, isStepped: true }),
    ];
    default: return [];
  }
}

function askedOver(series, run) {
  if (!run?.started_at) return new Array(series.t.length).fill(null);
  const start = Date.parse(run.started_at) / 1000;
  return series.t.map((t) => (t >= start ? askedUsers(run, t - start) : null));
}
