/** The spread of response times of what is shown: a histogram on a logarithmic axis, with the percentiles marked. */

import { make, setHidden, setText } from "./dom.js";
import { count, isNumber, ms, share } from "./format.js";
import { between, niceTimes } from "./scale.js";
import { text } from "./text.js";
import { color } from "./theme.js";
import { Tip } from "./tip.js";

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
const EDGE = { left: 14, right: 14, top: 46, foot: 24 };
const MARKED = [["p50_ms", "p50"], ["p95_ms", "p95"], ["p99_ms", "p99"]];
const LABEL_ROW = 14;
const GAP = 1;

export class Histogram {
  /** @param {HTMLElement} card @param {{onSpeak: (words: string) => void}} told */
  constructor(card, { onSpeak }) {
    this.card = card;
    this.key = card.dataset.card;
    this.title = card.querySelector("h2").textContent.trim();
    this.plot = card.querySelector("[data-plot]");
    this.empty = card.querySelector("[data-empty]");
    this.unknown = card.querySelector("[data-heat-unknown]");
    this.reading = card.querySelector("[data-reading]");
    this.onSpeak = onSpeak;
    this.canvas = make("canvas");
    this.plot.append(this.canvas);
    this.tip = new Tip(this.plot);
    this.bins = [];
    this.totals = {};
    this.chosen = null;
    new ResizeObserver(() => this.#paint()).observe(this.plot);
    this.plot.addEventListener("mousemove", (event) => this.#pointed(event));
    this.plot.addEventListener("mouseleave", () => this.#choose(null));
    this.plot.addEventListener("blur", () => this.#choose(null));
    this.plot.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {import("./grid.js").Grid} grid of one column @param {{totals: object, isKnown: boolean}} what */
  render(grid, { totals, isKnown }) {
    const counts = grid.columns[0] ?? [];
    const [first, last] = [counts.findIndex((one) => one > 0), counts.findLastIndex((one) => one > 0)];
    this.bins = first < 0 ? [] : counts.slice(first, last + 1).map((requests, place) =>
      ({ low: grid.edges[first + place], high: grid.edges[first + place + 1], requests }));
    this.all = this.bins.reduce((sum, bin) => sum + bin.requests, 0);
    this.totals = totals;
    if (this.chosen !== null && this.chosen >= this.bins.length) this.chosen = null;
    this.card.classList.toggle("is-unknown", !isKnown);
    setHidden(this.unknown, isKnown);
    setHidden(this.plot, !isKnown);
    this.empty.hidden = this.bins.length > 0 || !isKnown;
    this.#read();
    this.#paint();
  }

  forget() {
    this.#paint();
  }

  csv() {
    const rows = this.bins.map(({ low, high, requests }) => [low, high, requests, requests / this.all]);
    return [["from_ms", "to_ms", "requests", "share"], ...rows];
  }

  table() {
    const cell = (words) => make("td", { class: "num", text: words });
    const head = make("tr", {}, ...["response_time", "requests", "share"].map((name) => make("th", { scope: "col", class: "num", text: text(name) })));
    const body = this.bins.filter((bin) => bin.requests > 0).map(({ low, high, requests }) =>
      make("tr", {}, cell(between(low, high)), cell(count(requests)), cell(share(requests, this.all))));
    return [make("table", { class: "table" }, make("thead", {}, head), make("tbody", {}, ...body))];
  }

  #read() {
    const bin = this.bins[this.chosen];
    setText(this.reading, bin ? this.#words(bin) : "");
  }

  #words({ low, high, requests }) {
    return [between(low, high), text("heat_requests", { count: count(requests) }), share(requests, this.all)].join(" · ");
  }

  #choose(place, top = 0) {
    this.chosen = place;
    const bin = this.bins[place];
    this.tip.show(bin ? this.#words(bin) : "", bin ? this.#x(Math.sqrt(bin.low * bin.high)) : 0, top);
    this.#read();
    this.#paint();
  }

  #pointed(event) {
    const box = this.plot.getBoundingClientRect();
    const x = event.clientX - box.left;
    const place = this.bins.findIndex((bin) => x >= this.#x(bin.low) && x < this.#x(bin.high));
    this.#choose(place < 0 ? null : place, event.clientY - box.top);
  }

  #key(event) {
    const last = this.bins.length - 1;
    const here = this.chosen ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    const goal = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: last }[event.key];
    if (goal === undefined || last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#choose(Math.min(last, Math.max(0, goal)), EDGE.top);
    this.onSpeak(this.#words(this.bins[this.chosen]));
  }

  #x(value) {
    const [low, high] = [Math.log(this.bins[0].low), Math.log(this.bins[this.bins.length - 1].high)];
    return EDGE.left + ((Math.log(value) - low) / (high - low)) * (this.width - EDGE.left - EDGE.right);
  }

  #paint() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (width === 0 || height === 0) return; // hidden, or a table stands in its place
    Object.assign(this, { width, height });
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    const ctx = this.canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    ctx.font = FONT;
    if (this.bins.length === 0) return;
    this.#paintAxis(ctx);
    this.#paintBars(ctx);
    this.#paintMarks(ctx);
  }

  #paintBars(ctx) {
    const most = Math.max(...this.bins.map((bin) => bin.requests));
    const foot = this.height - EDGE.foot;
    this.bins.forEach((bin, place) => {
      const [left, right] = [this.#x(bin.low), this.#x(bin.high)];
      const tall = bin.requests ? Math.max(1, (bin.requests / most) * (foot - EDGE.top)) : 0; // a single one is seen
      ctx.fillStyle = color(place === this.chosen ? "--h-accent-strong" : "--h-accent");
      ctx.globalAlpha = this.chosen === null || place === this.chosen ? 0.85 : 0.5;
      ctx.fillRect(left, foot - tall, Math.max(1, right - left - GAP), tall);
    });
    ctx.globalAlpha = 1;
  }

  #paintAxis(ctx) {
    const foot = this.height - EDGE.foot;
    ctx.strokeStyle = color("--h-line");
    ctx.fillStyle = color("--h-ink-2");
    ctx.textBaseline = "top";
    const [low, high] = [this.bins[0].low, this.bins[this.bins.length - 1].high];
    let free = -Infinity;
    for (const value of niceTimes(low, high, this.width / 300)) {
      const x = this.#x(value);
      const label = ms(value);
      const half = ctx.measureText(label).width / 2;
      ctx.beginPath();
      ctx.moveTo(x, EDGE.top);
      ctx.lineTo(x, foot + 3);
      ctx.stroke();
      const left = Math.min(Math.max(0, x - half), this.width - 2 * half);
      if (left < free) continue;
      ctx.fillText(label, left, foot + 6);
      free = left + 2 * half + 10;
    }
    ctx.strokeStyle = color("--h-ink-2");
    ctx.beginPath();
    ctx.moveTo(EDGE.left, foot + 0.5);
    ctx.lineTo(this.width - EDGE.right, foot + 0.5);
    ctx.stroke();
  }

  /** Labels that would meet stand in rows of their own. */
  #paintMarks(ctx) {
    const ends = MARKED.map(() => -Infinity);
    const [low, high] = [this.bins[0].low, this.bins[this.bins.length - 1].high];
    ctx.textBaseline = "top";
    for (const [name, label] of MARKED) {
      const value = this.totals[name];
      if (!isNumber(value) || value <= 0 || value < low / 1.05 || value > high * 1.05) continue;
      const x = this.#x(Math.min(high, Math.max(low, value)));
      const words = `${label} ${ms(value)}`;
      const wide = ctx.measureText(words).width;
      const left = Math.min(Math.max(0, x - wide / 2), this.width - wide);
      const row = ends.findIndex((end) => left >= end + 8);
      ends[row] = left + wide;
      ctx.strokeStyle = ctx.fillStyle = color("--h-ink");
      ctx.setLineDash(name === "p50_ms" ? [] : name === "p95_ms" ? [5, 3] : [2, 2]);
      ctx.beginPath();
      ctx.moveTo(x, (row + 1) * LABEL_ROW + 2);
      ctx.lineTo(x, this.height - EDGE.foot);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.fillText(words, left, row * LABEL_ROW + 1);
    }
  }
}
