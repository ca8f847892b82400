/**
 * Columns over time, as the charts draw them. All columns share one axis `t` of epoch seconds, oldest first.
 *
 * History may be coarser than the live seconds that are appended to it: the axis carries real times, not places.
 */

import { Column } from "./column.js";

export const TOTAL = "total";
/** Columns of every key, as `GET series/` calls them. */
export const METRICS = ["rps", "failures_per_s", "avg_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"];
/** How the load generator does, second by second: of TOTAL only. */
export const HEALTH = ["target_users", "in_flight", "oldest_ms", "lag_ms", "cpu_percent", "rss_bytes", "open_files"];
const TOTAL_METRICS = [...METRICS, "users", ...HEALTH];
const ENDS = ["_low", "_high"]; // of the seconds under a point that covers more than one
/** What a tick's counts of one second are called here. */
const COUNTS = { rps: "requests", failures_per_s: "failures" };
/** More points than this are not kept; the page then fetches the past again at a coarser step. */
export const MAX_POINTS = 1_800;
const ROOM = MAX_POINTS + 60; // of what grows; the answer to that question takes a while
/** Silence longer than this is a gap; Locust's own clock drift skips a second now and then. */
export const GAP_SECONDS = 3;

/**
 * @typedef {{step_s: number, t: number[], series: Array<{endpoint: number|null} & Record<string, (number|null)[]>>}} Wire
 * @typedef {{requests: number, failures: number} & Record<string, number|null>} Row  figures of one second
 */

export class Series {
  /** @param {Wire} [wire] */
  constructor(wire) {
    /** @type {number[]} */
    this.t = wire ? [...wire.t] : [];
    this.step = wire?.step_s || 1;
    this.isGrowing = false;
    /** @type {Map<string|number, Record<string, Column>>} */
    this.columns = new Map();
    for (const one of wire?.series ?? []) this.columns.set(keyOf(one.endpoint), this.#read(one, (values) => new Column(values)));
    if (!this.columns.has(TOTAL)) this.addKey(TOTAL);
  }

  get last() {
    return this.t[this.t.length - 1] ?? -Infinity;
  }

  /** @returns {(number|null)[]} a copy, of some places or all of them; null for what was never loaded */
  column(key, metric, from = 0, to = this.t.length) {
    return this.#column(key, metric)?.list(from, to) ?? new Array(Math.max(0, to - from)).fill(null);
  }

  /** @returns {number|null} */
  at(key, metric, place) {
    return this.#column(key, metric)?.at(place) ?? null;
  }

  has(key) {
    return this.columns.has(key);
  }

  /**
   * Lowest and highest second under each point, where a point covers more than one; null where nothing is known of that.
   * @returns {{low: (number|null)[], high: (number|null)[]}|null}
   */
  ends(key, metric, from = 0, to = this.t.length) {
    const [low, high] = ENDS.map((end) => this.#column(key, metric + end)?.list(from, to));
    return low && high ? { low, high } : null;
  }

  /** Begin a key that has no past. */
  addKey(key) {
    this.columns.set(key, Object.fromEntries(namesOf(key).map((name) => [name, this.#gaps()])));
  }

  /** Forget a key, to keep memory small. */
  dropKey(key) {
    this.columns.delete(key);
  }

  /**
   * Add one second. Returns false for a second that is already there.
   * @param {{t: number, users: number, total: Row|null, rows: Map<number, Row>, health?: Record<string, number|null>|null}} tick
   */
  append({ t, users, total, rows, health }) {
    if (t <= this.last) return false;
    if (this.t.length && t - this.last > Math.max(GAP_SECONDS, this.step)) this.#push(this.last + 1, () => null);
    this.#push(t, (key, metric) => {
      if (metric === "users") return users ?? null;
      if (IS_HEALTH.has(metric)) return health?.[metric] ?? null;
      const row = key === TOTAL ? total : rows.get(key);
      return metric in COUNTS ? (row?.[COUNTS[metric]] ?? 0) : (row?.[metric] ?? null);
    });
    return true;
  }

  /** Put columns that were fetched on their own beside these, at the nearest step that covers each time. */
  merge(/** @type {Wire} */ wire) {
    const places = alignment(this.t, wire.t, wire.step_s || 1);
    for (const one of wire.series) {
      const pick = (values) => new Column(places.map((place) => (place < 0 ? null : (values[place] ?? null))), this.#room);
      this.columns.set(keyOf(one.endpoint), this.#read(one, pick));
    }
  }

  /** Forget the oldest points. */
  trim(points) {
    const surplus = this.t.length - points;
    if (surplus <= 0) return;
    this.t.splice(0, surplus);
    for (const column of this.columns.values()) for (const values of Object.values(column)) values.drop(surplus);
  }

  #read(one, pick) {
    const column = {};
    for (const name of namesOf(keyOf(one.endpoint))) {
      column[name] = one[name] ? pick(one[name]) : this.#gaps();
      for (const end of ENDS) if (one[name + end]) column[name + end] = pick(one[name + end]);
    }
    return column;
  }

  #push(t, valueOf) {
    this.isGrowing = true;
    this.t.push(t);
    for (const [key, column] of this.columns) {
      for (const metric of Object.keys(column)) column[metric].push(valueOf(key, metric), ROOM);
    }
  }

  #column(key, metric) {
    return this.columns.get(key)?.[metric];
  }

  #gaps() {
    return Column.ofGaps(this.t.length, this.#room);
  }

  /** What a new column is given: a series that grows is given all the room it may take. */
  get #room() {
    return this.isGrowing ? ROOM : this.t.length;
  }
}

const IS_HEALTH = new Set(HEALTH);
const namesOf = (key) => (key === TOTAL ? TOTAL_METRICS : METRICS);
export const keyOf = (endpoint) => (endpoint === null || endpoint === undefined ? TOTAL : endpoint);

/** For each of `times` the place in `fetched` (ascending, `step` seconds wide) that covers it, or -1. */
export function alignment(times, fetched, step) {
  let place = -1;
  return times.map((t) => {
    while (place + 1 < fetched.length && fetched[place + 1] <= t) place += 1;
    return place >= 0 && t - fetched[place] < step ? place : -1;
  });
}

/**
 * Values for drawing: a lone missing step between two known ones becomes `undefined`, which the line crosses;
 * longer silence stays null, which breaks it. The values themselves when there is nothing to join.
 */
export function joinSingles(t, values, step) {
  let joined = values;
  for (let i = 1; i < values.length - 1; i += 1) {
    const lone = values[i] === null && values[i - 1] !== null && values[i + 1] !== null;
    if (!lone || t[i + 1] - t[i - 1] > Math.max(2 * step, GAP_SECONDS)) continue;
    if (joined === values) joined = values.slice();
    joined[i] = undefined;
  }
  return joined;
}

/** First and last place of `t` within `[from, to]`; `[0, -1]` when there is none. */
export function placesWithin(t, from, to) {
  let first = 0;
  while (first < t.length && t[first] < from) first += 1;
  let last = t.length - 1;
  while (last >= first && t[last] > to) last -= 1;
  return first <= last ? [first, last] : [0, -1];
}
