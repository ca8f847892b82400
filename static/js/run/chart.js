/** One chart: a uPlot that is told lines and times. Zoom and cursor belong to the group it is in. */

import uPlot from "../../npm/uplot/uPlot.esm.js";
import { DASHES } from "./colors.js";
import { markNear } from "./marks.js";
import { paintMarks, paintSpans } from "./paint.js";
import { joinSingles } from "./series.js";
import { color, faded } from "./theme.js";
import { Tip } from "./tip.js";

const SYNC_KEY = "run";
const AXIS_WIDTH = 62; // the same in all charts, so that times stand under each other
const AXIS_HEIGHT = 28;
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6];
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
const HEADROOM = 1.08;
const MARK_REACH_PX = 7;
const NEAR_PX = 200; // what is about to be scrolled into sight is drawn as well
const UNSEEN = { stroke: "transparent", width: 0, points: { show: false } }; // a bound of an area
const MOST_CURSOR_POINTS = 16; // each is an element that moves with the mouse; the legend has the values

/**
 * @typedef {{key: string|number, label: string, color: string, dash: number, width: number, values: (number|null)[],
 *            isStepped?: boolean, isFilled?: boolean, low?: (number|null)[], high?: (number|null)[]}} Line  `color` is a
 *          custom property of the style sheet; `low` and `high` bound an area behind the line
 */

export class Chart {
  /**
   * @param {HTMLElement} card
   * @param {{axis: (value: number) => string, show?: (value: number) => string, unit?: string, wholeOnly?: boolean,
   *          least?: number}} look how the y axis, a table and the head of a CSV file speak; `least` is the height it
   *        shows at least
   * @param {import("./charts.js").Charts} group
   */
  constructor(card, look, group) {
    this.card = card;
    this.key = card.dataset.chart;
    this.title = card.querySelector("h2").textContent.trim();
    this.plot = card.querySelector("[data-plot]");
    this.empty = card.querySelector("[data-empty]");
    this.look = look;
    this.group = group;
    /** @type {Line[]} */
    this.lines = [];
    this.t = [];
    this.signature = "";
    this.uplot = null;
    this.tip = null;
    this.isSeen = null; // not known: nobody has looked since the card was hidden
    this.isStale = false;
    new IntersectionObserver((entries) => {
      const now = entries.at(-1); // a busy page hears of several at once
      this.#seen(now.boundingClientRect.width ? now.isIntersecting : null);
    }, { rootMargin: `${NEAR_PX}px` }).observe(card);
    new ResizeObserver(() => this.#fit()).observe(this.plot);
    addEventListener("beforeprint", () => this.#seen(true));
  }

  /** @param {Line[]} lines */
  draw(t, lines, step) {
    this.t = t;
    this.lines = lines;
    this.step = step;
    this.isSeen ??= this.card.getBoundingClientRect().top < innerHeight + NEAR_PX; // the observer would say it a frame later
    this.isStale = !this.isSeen;
    this.empty.hidden = this.hasContent;
    if (!this.isStale) this.#drawNow();
  }

  /** Whether the lines say anything. */
  get hasContent() {
    return this.lines.some((line) => line.values.some((value) => value !== null));
  }

  /** What the tip says at a place under the mouse. */
  tipText(u) {
    const t = u.posToVal(u.cursor.left, "x");
    const reach = u.posToVal(MARK_REACH_PX, "x") - u.posToVal(0, "x");
    return markNear(this.group.marks, t, reach)?.text ?? "";
  }

  /** For others to paint under the lines. */
  paintGround() {}

  /** @returns {object} the scale of the vertical axis */
  valueScale() {
    return { range: (_u, _low, high) => [0, Math.max((high || 0) * HEADROOM, this.look.least ?? 1)] };
  }

  #drawNow() {
    const { t, lines } = this;
    const joined = lines.map((line) => joinSingles(t, line.values, this.step));
    this.lonely = joined.map(lonelyPlaces);
    const areas = lines.filter((line) => line.low);
    const signature = lines.map((line) => `${line.key}|${line.color}|${line.dash}|${line.width}|${Boolean(line.low)}`).join("\n");
    const data = [t, ...joined, ...areas.flatMap((line) => [line.high, line.low])];
    if (this.uplot && signature === this.signature) {
      this.uplot.setData(data);
      return;
    }
    this.signature = signature;
    this.#build(data, areas);
  }

  /** Out of sight nothing is drawn; it is made up for when it comes into sight. */
  #seen(isSeen) {
    this.isSeen = isSeen;
    if (isSeen && this.isStale) {
      this.isStale = false;
      this.#drawNow();
    }
  }

  /** After a change of colours. */
  forget() {
    this.signature = "";
  }

  /** Move the shared cursor to a moment, as the mouse would. */
  pointAt(place, top = this.uplot.over.clientHeight / 2) {
    this.group.active = this;
    this.uplot.setCursor({ left: this.uplot.valToPos(this.t[place], "x"), top }, true, true);
  }

  #fit() {
    const { width, height } = this.#size();
    if (this.uplot && width > 0 && height > 0 && (width !== this.uplot.width || height !== this.uplot.height)) {
      this.uplot.setSize({ width, height });
    }
  }

  #size() {
    return { width: this.plot.clientWidth, height: this.plot.clientHeight };
  }

  #build(data, areas) {
    const size = this.#size();
    if (size.width === 0) {
      this.signature = ""; // hidden; drawn when it can be seen
      return;
    }
    this.uplot?.destroy();
    this.uplot = new uPlot({
      ...size,
      padding: [8, 28, 0, 0],
      legend: { show: false },
      focus: { alpha: 1 },
      series: [{}, ...this.lines.map((line, place) => this.#series(line, place)), ...areas.flatMap(() => [UNSEEN, UNSEEN])],
      bands: areas.map((line, place) => ({
        series: [this.lines.length + 2 * place + 1, this.lines.length + 2 * place + 2], fill: faded(line.color, 0.2),
      })),
      scales: { x: { time: true, range: () => this.group.range() }, y: this.valueScale() },
      axes: [this.#timeAxis(), this.valueAxis()],
      cursor: this.#cursor(),
      hooks: {
        drawClear: [(u) => {
          this.paintGround(u);
          paintSpans(u, this.group.marks);
        }],
        draw: [(u) => paintMarks(u, this.group.marks)],
        setCursor: [(u) => this.#cursorSet(u)],
        setSelect: [(u) => this.#selected(u)],
      },
    }, data, this.plot);
    this.tip = new Tip(this.uplot.over);
  }

  #cursorSet(u) {
    const isHere = this.group.active === this && u.cursor.left >= 0;
    this.tip?.show(isHere ? this.tipText(u) : "", u.cursor.left, u.cursor.top);
    if (this.group.active === this) this.group.cursorMoved(u.cursor.idx ?? null); // one out of sight may be behind
  }

  #series(line, place) {
    return {
      label: line.label,
      stroke: color(line.color),
      width: line.width,
      dash: DASHES[line.dash],
      fill: line.isFilled ? faded(line.color, 0.16) : undefined,
      paths: line.isStepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
      points: { show: false, size: 4, fill: color(line.color), filter: () => this.lonely[place] },
    };
  }

  #timeAxis() {
    return {
      stroke: color("--h-ink-2"),
      font: FONT,
      size: AXIS_HEIGHT,
      gap: 4,
      space: 72,
      incrs: TIME_STEPS,
      grid: { stroke: color("--h-line"), width: 1 },
      ticks: { show: false },
      values: (_u, splits, _axis, _space, step) => splits.map((t) => axisTime(t, step)),
    };
  }

  /** @returns {object} how the vertical axis is labelled */
  valueAxis() {
    return {
      stroke: color("--h-ink-2"),
      font: FONT,
      size: AXIS_WIDTH,
      gap: 6,
      space: this.card.classList.contains("chart-small") ? 24 : 34,
      grid: { stroke: color("--h-line"), width: 1 },
      ticks: { show: false },
      incrs: this.look.wholeOnly ? WHOLE_STEPS : undefined,
      values: (_u, splits) => splits.map((value) => this.look.axis(value)),
    };
  }

  #cursor() {
    return {
      y: Boolean(this.look.hasLevel),
      drag: { x: true, y: false, setScale: false, dist: 4 },
      sync: { key: SYNC_KEY, setSeries: false, scales: ["x", null] },
      points: this.lines.length > MOST_CURSOR_POINTS ? { show: false } : { size: 6, width: 1 },
      bind: {
        dblclick: () => () => this.group.leaveWindow(),
        mouseenter: (_u, _target, handle) => (event) => {
          this.group.active = this;
          return handle(event);
        },
      },
    };
  }

  /** A stretch was dragged out. The other charts of the group hear of it too; only the one under the mouse acts. */
  #selected(u) {
    const { left, width } = u.select;
    if (width === 0) return;
    if (this.group.active === this) this.group.zoomTo(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }
}

/** Places of values without a neighbour: a line through one point would not be seen. */
function lonelyPlaces(values) {
  const lonely = [];
  for (let i = 0; i < values.length; i += 1) {
    const isKnown = values[i] !== null && values[i] !== undefined;
    if (isKnown && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) lonely.push(i);
  }
  return lonely.length ? lonely : null;
}

const language = document.documentElement.lang || undefined;
const hourMinute = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const withSeconds = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dayMonth = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });

function axisTime(t, step) {
  const date = new Date(t * 1000);
  if (step >= 86_400) return dayMonth.format(date);
  return (step < 60 ? withSeconds : hourMinute).format(date);
}
