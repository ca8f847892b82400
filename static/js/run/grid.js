/**
 * How many requests took how long, over time: columns of seconds, rows of response times. Pure.
 *
 * It grows with the run and has a size that it does not exceed: too many columns are folded two by two, so are too many
 * rows. Counts are only ever added, so nothing is lost but the fineness.
 */

export const MOST_COLUMNS = 600;
export const MOST_ROWS = 120;
const ROW_RATIO = 1.12; // of a grid that begins empty
const LEAST_EDGE_MS = 0.001; // a row that begins at nothing is drawn from here: the axis is logarithmic

/** Edges that rise, or none: rows of no height could never be added up to a time. */
function edgesOf(wanted) {
  const edges = wanted.map((edge, place) => (place ? edge : Math.max(edge, LEAST_EDGE_MS)));
  return edges.length > 1 && edges.every((edge, place) => !place || edge > edges[place - 1]) ? edges : [];
}

/** @typedef {{step_s: number, t: number[], edges_ms: number[], counts: (number[]|null)[]}} Wire */

export class Grid {
  /** @param {Wire} [wire] the answer of `GET heatmap/` */
  constructor(wire) {
    this.step = wire?.step_s || 1;
    this.start = wire?.t[0] ?? 0;
    this.edges = edgesOf(wire?.edges_ms ?? []);
    /** One list of counts a column; null where nothing was measured. @type {(number[]|null)[]} */
    this.columns = [];
    this.version = 0;
    (wire?.t ?? []).forEach((t, place) => {
      this.columns[this.slotOf(t)] = wire.counts[place] ? wire.counts[place].slice(0, this.rows) : null;
    });
    for (let slot = 0; slot < this.columns.length; slot += 1) this.columns[slot] ??= null;
    this.#limit();
  }

  get rows() {
    return Math.max(0, this.edges.length - 1);
  }

  /** The first second after the last column. */
  get end() {
    return this.start + this.columns.length * this.step;
  }

  get isEmpty() {
    return !this.columns.some((column) => column?.some((count) => count > 0));
  }

  /** The highest count of a cell in a stretch of time. */
  mostWithin(from, to) {
    let most = 0;
    this.#each(from, to, (column) => {
      for (const count of column) if (count > most) most = count;
    });
    return most;
  }

  /** First and last row with a request in it in a stretch of time; null when there is none. */
  rowsWithin(from, to) {
    let [low, high] = [Infinity, -Infinity];
    this.#each(from, to, (column) => column.forEach((count, row) => {
      if (count > 0) [low, high] = [Math.min(low, row), Math.max(high, row)];
    }));
    return low <= high ? [low, high] : null;
  }

  /** Requests by row over a stretch of time. */
  summed(from, to) {
    const sum = new Array(this.rows).fill(0);
    this.#each(from, to, (column) => column.forEach((count, row) => (sum[row] += count)));
    return sum;
  }

  slotOf(t) {
    return Math.floor((t - this.start) / this.step);
  }

  timeOf(slot) {
    return this.start + slot * this.step;
  }

  /** The row that holds a time, or -1. A time on a boundary belongs to the row below it. */
  rowOf(ms) {
    const { edges } = this;
    if (edges.length < 2 || ms > edges[edges.length - 1]) return -1;
    let [low, high] = [0, edges.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (ms <= edges[middle]) high = middle;
      else low = middle;
    }
    return ms >= edges[0] || low > 0 ? low : -1;
  }

  /**
   * Add requests of one second. A second without any becomes a column of nothing, not a gap.
   * @param {number} t @param {[number, number][]} times pairs of milliseconds and how many requests took that long
   */
  add(t, times) {
    if (this.columns.length === 0) this.start = Math.floor(t / this.step) * this.step;
    if (t < this.start) return;
    for (const [ms] of times) this.#reach(ms);
    while (this.slotOf(t) >= MOST_COLUMNS) this.#foldColumns();
    const slot = this.slotOf(t);
    while (this.columns.length <= slot) this.columns.push(null);
    const column = (this.columns[slot] ??= new Array(this.rows).fill(0));
    for (const [ms, count] of times) column[this.rowOf(ms)] += count;
    this.version += 1;
    while (this.rows > MOST_ROWS) this.#foldRows();
  }

  #each(from, to, tell) {
    const first = Math.max(0, this.slotOf(from));
    const last = Math.min(this.columns.length - 1, this.slotOf(to));
    for (let slot = first; slot <= last; slot += 1) if (this.columns[slot]) tell(this.columns[slot]);
  }

  /** Rows up or down to a time that none holds yet. */
  #reach(ms) {
    if (this.edges.length < 2) {
      const low = ROW_RATIO ** Math.floor(Math.log(Math.max(ms, LEAST_EDGE_MS)) / Math.log(ROW_RATIO));
      this.edges = [low, low * ROW_RATIO];
      this.columns = this.columns.map((column) => column && [0]);
    }
    const { edges } = this;
    const ratio = Math.max(1.01, edges[edges.length - 1] / edges[edges.length - 2]);
    while (ms > edges[edges.length - 1]) {
      edges.push(edges[edges.length - 1] * ratio);
      for (const column of this.columns) column?.push(0);
    }
    let below = 0;
    while (ms < edges[0] && edges[0] > LEAST_EDGE_MS) {
      edges.unshift(Math.max(LEAST_EDGE_MS, edges[0] / ratio));
      below += 1;
    }
    if (below) for (const column of this.columns) column?.unshift(...new Array(below).fill(0));
    if (ms < edges[0]) edges[0] = ms; // nearer to nothing than the axis goes
  }

  #limit() {
    while (this.columns.length > MOST_COLUMNS) this.#foldColumns();
    while (this.rows > MOST_ROWS) this.#foldRows();
  }

  #foldColumns() {
    const step = this.step * 2;
    const start = Math.floor(this.start / step) * step;
    const folded = [];
    this.columns.forEach((column, slot) => {
      const goal = Math.floor((this.timeOf(slot) - start) / step);
      while (folded.length <= goal) folded.push(null);
      if (!column) return;
      const into = (folded[goal] ??= new Array(this.rows).fill(0));
      column.forEach((count, row) => (into[row] += count));
    });
    Object.assign(this, { step, start, columns: folded, version: this.version + 1 });
  }

  #foldRows() {
    const { edges } = this;
    const kept = edges.filter((_edge, place) => place % 2 === 0);
    if (edges.length % 2 === 0) kept.push(edges[edges.length - 1] * (edges[edges.length - 1] / edges[edges.length - 2]));
    this.columns = this.columns.map((column) => {
      if (!column) return null;
      const folded = new Array(kept.length - 1).fill(0);
      column.forEach((count, row) => (folded[row >> 1] += count));
      return folded;
    });
    this.edges = kept;
  }
}
