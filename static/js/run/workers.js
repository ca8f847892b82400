/** The Locust processes of a run: what their rows mean, and how fast each of them is. Pure. */

import { COLORS, DASHES } from "./colors.js";
import { isNumber } from "./format.js";

export const CLOCK_SHOWN_MS = 50; // less is no worse than what the network does to times
const RATE_MS = 5_000; // "now" is a mean over this, as in the table of endpoints
const LOOKS = {
  wanted: { icon: "state-queued", tone: "" },
  starting: { icon: "state-starting", tone: "running" },
  ready: { icon: "state-running", tone: "running" },
  silent: { icon: "warning", tone: "invalid" },
  lost: { icon: "state-lost", tone: "invalid" },
  ended: { icon: "state-finished", tone: "" },
};
const HAS_COME = new Set(["ready", "silent", "lost"]);

/** People count from 1. */
export const numberOf = ({ index }) => index + 1;

/** Colour and dash of a worker's lines: by its number, so the same in every run. No two of the first 32 look alike. */
export const lookOf = (index) => ({ color: index % COLORS, dash: Math.floor(index / COLORS) % DASHES.length });

/** Icon and tone of a state. One that ended with a reason did not end as it should. */
export function stateLook({ state, reason }) {
  const look = LOOKS[state] ?? { icon: "info", tone: "" };
  return state === "ended" && reason ? { icon: "state-failed", tone: "failed" } : look;
}

/** Workers that the master has heard of. @returns {{there: number, all: number}} */
export function thereOf(workers) {
  return { there: workers.filter(({ state }) => HAS_COME.has(state)).length, all: workers.length };
}

/** By how much a host's clock was off; null where nobody needs to know. */
export function clockOffset({ clock_offset_ms: ms }) {
  return isNumber(ms) && Math.abs(ms) >= CLOCK_SHOWN_MS ? ms : null;
}

/** Sums over all rows, for the last line of the table; null of what is known of none. */
export function sumOf(workers, rateOf) {
  const sum = (value) => {
    const known = workers.map(value).filter(isNumber);
    return known.length ? known.reduce((all, one) => all + one) : null;
  };
  return {
    users: sum((one) => one.users), most_users: sum((one) => one.most_users),
    requests: sum((one) => one.requests), failures: sum((one) => one.failures), rps: sum((one) => rateOf(one)),
    in_use: sum((one) => one.ids?.in_use),
  };
}

/** Requests a second of each worker, from what its count grew by, and in how many seconds of its own that was. */
export class Rates {
  constructor() {
    /** @type {Map<number, {at: number, heard: number, requests: number}[]>} */
    this.counts = new Map();
  }

  /** @param {number} now milliseconds; of a count that does not say when it was taken, that was now */
  heard(workers, now) {
    for (const { index, requests, counted_to: to } of workers) {
      if (!isNumber(requests)) continue;
      const at = to ? Date.parse(to) : now;
      const known = this.counts.get(index) ?? [];
      const isNew = known.length && requests < known.at(-1).requests; // another process, which counts from 0
      if (known.length && !isNew && at <= known.at(-1).at) continue;
      const kept = isNew ? [] : known;
      kept.push({ at, heard: now, requests });
      while (kept.length > 2 && at - kept[1].at >= RATE_MS) kept.shift();
      this.counts.set(index, kept);
    }
  }

  /** Null while there is nothing to compare with; none for a while is 0. @param {number} now milliseconds */
  rateOf(index, now) {
    const kept = this.counts.get(index) ?? [];
    if (kept.length < 2) return null;
    const [first, last] = [kept[0], kept.at(-1)];
    return now - last.heard > RATE_MS ? 0 : (last.requests - first.requests) / ((last.at - first.at) / 1_000);
  }
}

/** Lowest and highest of some values; null where none is known. @returns {[number, number]|null} */
export function extremes(values) {
  const known = values.filter(isNumber);
  return known.length ? [Math.min(...known), Math.max(...known)] : null;
}

/** The place in `times` (ascending, not empty) that is nearest to a moment. */
export function nearest(times, t) {
  let best = 0;
  times.forEach((time, place) => {
    if (Math.abs(time - t) < Math.abs(times[best] - t)) best = place;
  });
  return best;
}

/**
 * Answers about single workers as one: every list as long as `t`, null where a worker measured nothing.
 * @param {Map<number, {t: number[], step_s: number, series: object[]}>} answers by index, all of the same window
 * @returns {{t: number[], step: number, lines: Map<number, Record<string, (number|null)[]>>}}
 */
export function merged(answers, metrics) {
  const step = Math.max(1, ...[...answers.values()].map((answer) => answer.step_s));
  const times = new Set([...answers.values()].flatMap((answer) => answer.t));
  const t = [...times].sort((a, b) => a - b);
  const place = new Map(t.map((time, at) => [time, at]));
  const lines = new Map([...answers].map(([index, answer]) => {
    const [line = {}] = answer.series;
    return [index, Object.fromEntries(metrics.map((metric) => {
      const values = new Array(t.length).fill(null);
      answer.t.forEach((time, at) => (values[place.get(time)] = line[metric]?.[at] ?? null));
      return [metric, values];
    }))];
  }));
  return { t, step, lines };
}
