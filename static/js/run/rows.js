/** Order and figures of the table of endpoints. Pure. */

import { RATE_SECONDS } from "./store.js";

export const SPARK_WIDTH = 72;
export const SPARK_HEIGHT = 18;
export const LATENCIES = ["avg_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms", "min_ms"];
/** What a column sorts by; numbers begin with the highest, names with A. */
const VALUES = {
  label: (row) => row.label,
  requests: (row) => row.shown.requests ?? 0,
  failed: (row) => (row.shown.requests ? row.shown.failures / row.shown.requests : 0),
  rps: (row) => row.rps ?? -1,
  bytes: (row) => meanBytes(row.shown) ?? -1,
  ...Object.fromEntries(LATENCIES.map((name) => [name, (row) => row.shown[name] ?? -1])),
};

/** @param {Iterable<object>} rows endpoints; `shown` are their totals of what the page shows */
export function sorted(rows, column, isAscending) {
  const value = VALUES[column];
  const sign = isAscending ? 1 : -1;
  const compare = column === "label" ? (a, b) => value(a).localeCompare(value(b)) : (a, b) => value(a) - value(b);
  return [...rows].sort((a, b) => sign * compare(a, b) || a.index - b.index);
}

/** Requests a second now: a mean over the last seconds; where totals stand for what is shown, over all of it. */
export function rateNow(endpoint, totals, isSettled) {
  if (isSettled || !endpoint.spark?.length) return totals.rps ?? null;
  const last = endpoint.spark.slice(-RATE_SECONDS);
  return last.reduce((sum, value) => sum + (value ?? 0), 0) / last.length;
}

export function meanBytes(totals) {
  return totals.requests ? totals.bytes / totals.requests : null;
}

/** @param {(number|null)[]|null} values @param {number} [top] what reaches the upper edge; else the highest value */
export function sparkPath(values, top) {
  if (!values || values.length < 2) return "";
  const high = top ?? Math.max(...values.map((value) => value ?? 0), 1e-9);
  const step = SPARK_WIDTH / (values.length - 1);
  let isOpen = false;
  return values.map((value, place) => {
    if (value === null || value === undefined) {
      isOpen = false;
      return "";
    }
    const x = (place * step).toFixed(1);
    const y = (SPARK_HEIGHT - 1 - (value / high) * (SPARK_HEIGHT - 2)).toFixed(1);
    const command = isOpen ? "L" : "M";
    isOpen = true;
    return `${command}${x} ${y}`;
  }).join("");
}
