/**
 * Columns over time, as the charts draw them. All columns share one axis `t` of epoch seconds, oldest first.
 *
 * History may be coarser than the live seconds that are appended to it: the axis carries real times, not places.
 */

export const TOTAL = "total";
/** Columns of every key, as `GET series/` calls them. */
export const METRICS = ["rps", "failures_per_s", "avg_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"];
/** How the load generator does, second by second: of TOTAL only. */
export const HEALTH = ["target_users", "in_flight", "oldest_ms", "lag_ms", "cpu_percent", "rss_bytes", "open_files"];
const TOTAL_METRICS = [...METRICS, "users", ...HEALTH];
const ENDS = ["_low", "_high"]; // of the seconds under a point that covers more than one
/** What a tick's counts of one second are called here. */
const COUNTS = { rps: "requests", failures_per_s: "failures" };
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
    /** @type {Map<string|number, Record<string, (number|null)[]>>} */
    this.columns = new Map();
    for (const one of wire?.series ?? []) this.columns.set(keyOf(one.endpoint), this.#read(one, (values) => [...values]));
    if (!this.columns.has(TOTAL)) this.addKey(TOTAL);
  }

  get last() {
    return this.t[this.t.length - 1] ?? -Infinity;
  }

  /** @returns {(number|null)[]} all null for what was never loaded */
  column(key, metric) {
    return this.columns.get(key)?.[metric] ?? new Array(this.t.length).fill(null);
  }

  has(key) {
    return this.columns.has(key);
  }

  /**
   * Lowest and highest second under each point, where a point covers more than one; null where nothing is known of that.
   * @returns {{low: (number|null)[], high: (number|null)[]}|null}
   */
  ends(key, metric) {
    const column = this.columns.get(key);
    const [low, high] = ENDS.map((end) => column?.[metric + end]);
    return low && high ? { low, high } : null;
  }

  /** Begin a key that has no past. */
  addKey(key) {
    this.columns.set(key, Object.fromEntries(namesOf(key).map((name) => [name, new Array(this.t.length).fill(null)])));
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
      const pick = (values) => places.map((place) => (place < 0 ? null : (values[place] ?? null)));
      this.columns.set(keyOf(one.endpoint), this.#read(one, pick));
    }
  }

  /** Forget the oldest points. */
  trim(points) {
    const surplus = this.t.length - points;
    if (surplus <= 0) return;
    this.t.splice(0, surplus);
    for (const column of this.columns.values()) for (const values of Object.values(column)) values.splice(0, surplus);
  }

  #read(one, pick) {
    const column = {};
    for (const name of namesOf(keyOf(one.endpoint))) {
      column[name] = one[name] ? pick(one[name]) : new Array(this.t.length).fill(null);
      for (const end of ENDS) if (one[name + end]) column[name + end] = pick(one[name + end]);
    }
    return column;
  }

  #push(t, valueOf) {
    this.t.push(t);
    for (const [key, column] of this.columns) {
      for (const metric of Object.keys(column)) column[metric].push(valueOf(key, metric));
    }
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
 * longer silence stays null, which breaks it.
 */
export function joinSingles(t, values, step) {
  const joined = values.slice();
  for (let i = 1; i < values.length - 1; i += 1) {
    const lone = values[i] === null && values[i - 1] !== null && values[i + 1] !== null;
    if (lone && t[i + 1] - t[i - 1] <= Math.max(2 * step, GAP_SECONDS)) joined[i] = undefined;
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
