/** Small charts of each worker, under the cursor, the zoom and the marks of the large ones. */

import { Chart } from "./chart.js";
import { bytes, count, ms, percentage, significant } from "./format.js";
import { onThemeChange } from "./theme.js";
import { text } from "./text.js";
import { lookOf, numberOf } from "./workers.js";

const LOOKS = {
  "worker-rps": { metric: "rps", axis: significant, show: (value) => `${significant(value)}/s` },
  "worker-users": { metric: "users", axis: significant, show: count, wholeOnly: true, least: 2, isStepped: true },
  "worker-cpu": { metric: "cpu_percent", axis: percentage, show: percentage, least: 20 },
  "worker-lag": { metric: "lag_ms", axis: ms, show: ms, least: 10 },
  "worker-rss": { metric: "rss_bytes", axis: bytes, show: bytes },
};

class WorkerChart extends Chart {
  /** The worker whose line is nearest to the mouse, unless something is marked there. */
  tipText(u) {
    const mark = super.tipText(u);
    const place = u.cursor.idx;
    if (mark || place === null || place === undefined) return mark;
    const distance = ({ values }) => Math.abs(u.valToPos(values[place], "y") - u.cursor.top);
    const [nearest] = this.lines.filter(({ values }) => values[place] !== null).sort((a, b) => distance(a) - distance(b));
    return nearest ? `${nearest.label}: ${this.look.show(nearest.values[place])}` : "";
  }
}

export class WorkerCharts {
  /** @param {HTMLElement} root holds the `[data-chart]` cards @param {import("./charts.js").Charts} charts */
  constructor(root, charts) {
    this.charts = charts;
    this.t = [];
    this.list = [...root.querySelectorAll("[data-chart]")].map((card) => new WorkerChart(card, LOOKS[card.dataset.chart], this));
    onThemeChange(() => {
      for (const chart of this.list) chart.forget();
      if (this.last) this.draw(...this.last);
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
  }

  // What a chart asks its group for: all of it is the large charts'.

  get marks() {
    return this.charts.marks;
  }

  get active() {
    return this.charts.active;
  }

  set active(chart) {
    this.charts.active = chart;
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

  /** The large charts may have other times: the same moment is meant. */
  cursorMoved(place) {
    const times = this.charts.series?.t ?? [];
    this.charts.cursorMoved(place === null || !times.length ? null : nearest(times, this.t[place]));
  }
}

function lineOf(worker, values, { isStepped }) {
  const look = lookOf(worker.index);
  const label = text("worker_on", { number: numberOf(worker), host: worker.host });
  return { key: worker.index, label, color: `--h-series-${look.color}`, dash: look.dash, width: 1.5, values, isStepped };
}

function nearest(times, t) {
  let best = 0;
  times.forEach((time, place) => {
    if (Math.abs(time - t) < Math.abs(times[best] - t)) best = place;
  });
  return best;
}
