/** The heatmap of response times: a chart of the group whose ground is a grid of counts, its vertical axis logarithmic. */

import { Chart } from "./chart.js";
import { make, setHidden, setText } from "./dom.js";
import { count, ms, oneLine, time, utc } from "./format.js";
import { ramp, share } from "./ramp.js";
import { between, niceTimes } from "./scale.js";
import { text } from "./text.js";
import { color } from "./theme.js";

const LEAST_SPREAD = 4; // highest ÷ lowest time that the axis shows at least
const NO_GRID = { low: 1, high: 1_000 };
const MOST_ROWS = 300;

export class HeatChart extends Chart {
  /**
   * @param {HTMLElement} card
   * @param {import("./charts.js").Charts} group
   * @param {{onEndpoint: (index: number|null) => void}} told
   */
  constructor(card, group, { onEndpoint }) {
    super(card, { axis: ms, hasLevel: true }, group);
    this.grid = null;
    this.select = card.querySelector("[data-heat-endpoint]");
    this.scale = card.querySelector("[data-heat-scale]");
    this.nothingKnown = card.querySelector("[data-heat-unknown]");
    this.picture = make("canvas");
    this.painted = "";
    this.level = null; // a row that was chosen by keyboard
    this.options = "";
    this.select.addEventListener("change", () => onEndpoint(this.select.value === "" ? null : Number(this.select.value)));
    this.plot.addEventListener("keydown", (event) => this.#levelKey(event));
  }

  /** @param {import("./grid.js").Grid} grid @param {boolean} isKnown whether this run has any such figures */
  drawGrid(t, grid, isKnown, step) {
    this.grid = grid;
    const range = this.group.range();
    this.most = grid.mostWithin(...range);
    this.limits = this.#limits(range);
    this.card.classList.toggle("is-unknown", !isKnown);
    setHidden(this.nothingKnown, isKnown);
    setHidden(this.plot, !isKnown);
    setHidden(this.select, !isKnown);
    this.#drawScale(isKnown && this.most > 0);
    if (!isKnown) {
      this.empty.hidden = true;
      return;
    }
    this.draw(t, [{ key: "heat", label: "", color: "--h-ink", dash: 0, width: 0, values: new Array(t.length).fill(null) }], step);
  }

  /** Which endpoints there are to choose from. @param {Iterable<{index: number, label: string}>} endpoints */
  offer(endpoints, chosen) {
    const list = [...endpoints];
    const signature = list.map((one) => one.index).join();
    if (signature !== this.options) {
      this.options = signature;
      this.select.replaceChildren(make("option", { value: "", text: text("all_endpoints") }),
        ...list.map((one) => make("option", { value: one.index, text: oneLine(one.label, 80) })));
    }
    this.select.value = chosen === null ? "" : String(chosen);
  }

  get hasContent() {
    return Boolean(this.grid && this.most > 0);
  }

  forget() {
    super.forget();
    this.painted = "";
  }

  valueScale() {
    return { distr: 3, log: 10, range: () => [this.limits.low, this.limits.high] };
  }

  valueAxis() {
    const space = this.plot.clientHeight < 200 ? 1 : 2;
    return {
      ...super.valueAxis(),
      splits: () => niceTimes(this.limits.low, this.limits.high, space),
      filter: (_u, splits) => splits,
    };
  }

  paintGround(u) {
    if (!this.hasContent) return;
    this.#paintPicture();
    const { grid, picture } = this;
    const { ctx, bbox } = u;
    const [left, right] = [grid.start - 0.5, grid.end - 0.5].map((t) => u.valToPos(t, "x", true));
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.imageSmoothingEnabled = false;
    for (let row = 0; row < grid.rows; row += 1) {
      const [top, foot] = [grid.edges[row + 1], grid.edges[row]].map((edge) => Math.round(u.valToPos(edge, "y", true)));
      if (foot < bbox.top || top > bbox.top + bbox.height) continue;
      ctx.drawImage(picture, 0, row, picture.width, 1, left, top, right - left, Math.max(1, foot - top));
    }
    ctx.restore();
  }

  tipText(u) {
    const words = this.#cellText(u.posToVal(u.cursor.left, "x"), u.posToVal(u.cursor.top, "y"));
    return [words, super.tipText(u)].filter(Boolean).join("\n");
  }

  /** What a column says in one line: how many requests, and the cell the reader is at. */
  reading(t) {
    if (!this.grid || this.grid.columns.length === 0) return "";
    const column = this.grid.columns[this.grid.slotOf(t)];
    if (!column) return "";
    if (this.level !== null) return this.#cellText(t, Math.sqrt(this.grid.edges[this.level] * this.grid.edges[this.level + 1]));
    return text("heat_column", { count: count(column.reduce((sum, one) => sum + one, 0)) });
  }

  /** Every cell with a request in it, oldest first. */
  cells([from, to]) {
    const { grid } = this;
    const found = [];
    grid?.columns.forEach((column, slot) => {
      const t = grid.timeOf(slot);
      if (!column || t + grid.step <= from || t > to) return;
      column.forEach((requests, row) => {
        if (requests > 0) found.push({ t, low: grid.edges[row], high: grid.edges[row + 1], requests });
      });
    });
    return found;
  }

  csv(range) {
    const rows = this.cells(range).map(({ t, low, high, requests }) =>
      [new Date(t * 1_000).toISOString(), this.grid.step, round(low), round(high), requests]);
    return [["time_utc", "seconds", "from_ms", "to_ms", "requests"], ...rows];
  }

  table(range) {
    const cells = this.cells(range).reverse();
    const head = make("tr", {}, make("th", { scope: "col", text: text("time") }),
      make("th", { scope: "col", class: "num", text: this.title }), make("th", { scope: "col", class: "num", text: text("requests") }));
    const body = cells.slice(0, MOST_ROWS).map(({ t, low, high, requests }) => make("tr", {},
      make("th", { scope: "row", title: utc(t), text: time(t) }),
      make("td", { class: "num", text: `${between(low, high)}` }), make("td", { class: "num", text: count(requests) })));
    const table = make("table", { class: "table" }, make("thead", {}, head), make("tbody", {}, ...body));
    return cells.length > MOST_ROWS ? [table, make("p", { class: "muted m-2", text: text("table_newest", { rows: MOST_ROWS }) })] : [table];
  }

  #cellText(t, level) {
    const { grid } = this;
    const slot = grid?.columns.length ? grid.slotOf(t + 0.5) : -1;
    const row = grid ? grid.rowOf(level) : -1;
    if (slot < 0 || slot >= grid.columns.length || row < 0) return "";
    const column = grid.columns[slot];
    const start = grid.timeOf(slot);
    const when = grid.step > 1 ? `${time(start)}–${time(start + grid.step - 1)}` : time(start);
    const requests = column ? text("heat_requests", { count: count(column[row]) }) : text("not_measured");
    return [when, between(grid.edges[row], grid.edges[row + 1]), requests].join(" · ");
  }

  /** Up and down move through the rows; the cursor's moment belongs to the group. */
  #levelKey(event) {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step || !this.hasContent || this.group.place === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const rows = this.grid.rowsWithin(...this.group.range()) ?? [0, this.grid.rows - 1];
    const start = this.level ?? this.#fullest();
    this.level = Math.min(rows[1], Math.max(rows[0], start + (this.level === null ? 0 : step)));
    const middle = Math.sqrt(this.grid.edges[this.level] * this.grid.edges[this.level + 1]);
    this.pointAt(this.group.place, this.uplot.valToPos(middle, "y"));
    this.group.keyMoved(this.group.place);
  }

  #fullest() {
    const column = this.grid.columns[this.grid.slotOf(this.t[this.group.place])] ?? [];
    return Math.max(0, column.indexOf(Math.max(...column)));
  }

  #limits(range) {
    const rows = this.grid.rowsWithin(...range);
    if (!rows) return NO_GRID;
    let [low, high] = [this.grid.edges[rows[0]], this.grid.edges[rows[1] + 1]];
    const missing = LEAST_SPREAD / (high / low);
    if (missing > 1) [low, high] = [low / Math.sqrt(missing), high * Math.sqrt(missing)];
    return { low: low / 1.05, high: high * 1.05 };
  }

  /** One pixel a cell; stretched when it is put into the chart. */
  #paintPicture() {
    const { grid, picture, most } = this;
    const isDark = isDarkGround();
    const signature = `${grid.version}|${grid.start}|${grid.columns.length}|${grid.rows}|${most}|${isDark}`;
    if (signature === this.painted && this.paintedGrid === grid) return;
    this.painted = signature;
    this.paintedGrid = grid;
    picture.width = grid.columns.length;
    picture.height = grid.rows;
    const ctx = picture.getContext("2d");
    const image = ctx.createImageData(picture.width, picture.height);
    const colors = ramp(isDark);
    grid.columns.forEach((column, slot) => column?.forEach((requests, row) => {
      if (requests <= 0) return;
      const at = 4 * (row * picture.width + slot);
      image.data.set(colors[Math.round(share(requests, most) * (colors.length - 1))], at);
      image.data[at + 3] = 255;
    }));
    ctx.putImageData(image, 0, 0);
  }

  /** The colours and what they stand for, at the foot of a picture. */
  paintScale(ctx, left, foot) {
    const colors = ramp(isDarkGround());
    colors.forEach((rgb, place) => {
      ctx.fillStyle = `rgb(${rgb.join(",")})`;
      ctx.fillRect(left + 2 * place, foot - 9, 2, 9);
    });
    ctx.fillStyle = color("--h-ink");
    ctx.fillText(`1–${count(this.most)}: ${text("heat_scale", { seconds: this.grid.step })}`, left + 2 * colors.length + 8, foot);
  }

  /** The same on the page. */
  #drawScale(isShown) {
    setHidden(this.scale, !isShown);
    if (!isShown) return;
    const strip = this.scale.querySelector("canvas");
    const colors = ramp(isDarkGround());
    strip.width = colors.length;
    strip.height = 1;
    const ctx = strip.getContext("2d");
    colors.forEach((rgb, place) => {
      ctx.fillStyle = `rgb(${rgb.join(",")})`;
      ctx.fillRect(place, 0, 1, 1);
    });
    setText(this.scale.querySelector("[data-least]"), "1");
    setText(this.scale.querySelector("[data-most]"), count(this.most));
    setHidden(this.scale.querySelector("[data-most]"), this.most <= 1);
    this.scale.title = text("heat_scale", { seconds: this.grid.step });
  }
}

const round = (value) => Number(value.toPrecision(6));

function isDarkGround() {
  const [red, green, blue] = color("--h-surface").match(/[\d.]+/g).map(Number);
  return red + green + blue < 384;
}
