import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_POINTS, Series, TOTAL, alignment, joinSingles, placesWithin } from "../../static/js/run/series.js";

const wire = (t, rps, step_s = 1) => ({ step_s, t, series: [{ endpoint: null, rps, users: rps }, { endpoint: 3, rps, p95_ms: rps }] });
const tick = (t, rows = []) => ({
  t, users: 5, total: { requests: 7, failures: 1, p95_ms: 40 }, rows: new Map(rows.map((row) => [row.endpoint, row])),
});

test("a tick adds one second to every column", () => {
  const series = new Series(wire([10, 11], [1, 2]));
  assert.equal(series.append(tick(12, [{ endpoint: 3, requests: 4, failures: 0, p95_ms: 88 }])), true);
  assert.deepEqual(series.t, [10, 11, 12]);
  assert.deepEqual(series.column(TOTAL, "rps"), [1, 2, 7]);
  assert.deepEqual(series.column(TOTAL, "failures_per_s").at(-1), 1);
  assert.deepEqual(series.column(3, "p95_ms"), [1, 2, 88]);
});

test("an idle endpoint has no requests and no response time", () => {
  const series = new Series(wire([10], [1]));
  series.append(tick(11));
  assert.deepEqual(series.column(3, "rps"), [1, 0]);
  assert.deepEqual(series.column(3, "p95_ms"), [1, null]);
});

test("a second that came before is passed over", () => {
  const series = new Series(wire([10, 11], [1, 2]));
  assert.equal(series.append(tick(11)), false);
  assert.equal(series.t.length, 2);
});

test("a skipped second is no gap, a longer silence is", () => {
  const series = new Series(wire([10], [1]));
  series.append(tick(12));
  assert.deepEqual(series.t, [10, 12]);
  series.append(tick(20));
  assert.deepEqual(series.t, [10, 12, 13, 20]);
  assert.equal(series.column(TOTAL, "rps")[2], null);
});

test("a new key has no past, a dropped one no columns", () => {
  const series = new Series(wire([10, 11], [1, 2]));
  series.addKey(9);
  assert.deepEqual(series.column(9, "rps"), [null, null]);
  series.append(tick(12, [{ endpoint: 9, requests: 3, failures: 0 }]));
  assert.deepEqual(series.column(9, "rps"), [null, null, 3]);
  series.dropKey(9);
  assert.equal(series.has(9), false);
});

test("columns fetched at another step are put beside the times they cover", () => {
  const series = new Series(wire([10, 11, 12, 13, 30], [1, 2, 3, 4, 5]));
  series.merge({ step_s: 2, t: [10, 12], series: [{ endpoint: 8, rps: [50, 60] }] });
  assert.deepEqual(series.column(8, "rps"), [50, 50, 60, 60, null]);
  assert.deepEqual(alignment([9, 10, 11], [10], 1), [-1, 0, -1]);
});

test("trim forgets the oldest", () => {
  const series = new Series(wire([1, 2, 3, 4], [1, 2, 3, 4]));
  series.trim(2);
  assert.deepEqual(series.t, [3, 4]);
  assert.deepEqual(series.column(3, "rps"), [3, 4]);
});

test("a lone missing step is crossed, a longer one is not", () => {
  assert.deepEqual(joinSingles([1, 2, 3], [5, null, 6], 1), [5, undefined, 6]);
  assert.deepEqual(joinSingles([1, 2, 3, 4], [5, null, null, 6], 1), [5, null, null, 6]);
  assert.deepEqual(joinSingles([1, 2, 20], [5, null, 6], 1), [5, null, 6]);
  assert.deepEqual(joinSingles([10, 20, 30], [5, null, 6], 10), [5, undefined, 6]);
});

test("a series that grows for hours keeps what it may, and in order", () => {
  const series = new Series(wire([10], [1]));
  for (let t = 11; t < 10 + 3 * MAX_POINTS; t += 1) {
    series.append(tick(t, [{ endpoint: 3, requests: t, failures: 0, p95_ms: t / 8 }]));
    series.trim(MAX_POINTS);
  }
  const newest = 9 + 3 * MAX_POINTS;
  assert.deepEqual([series.t.length, series.t[0], series.last], [MAX_POINTS, newest - MAX_POINTS + 1, newest]);
  assert.deepEqual(series.column(3, "rps"), series.t);
  assert.deepEqual(series.column(3, "p95_ms", MAX_POINTS - 2), [(newest - 1) / 8, newest / 8]);
  assert.deepEqual([-1, 0, MAX_POINTS - 1, MAX_POINTS].map((place) => series.at(3, "rps", place)), [null, series.t[0], newest, null]);
});

test("places within a window", () => {
  assert.deepEqual(placesWithin([1, 2, 3, 4], 2, 3), [1, 2]);
  assert.deepEqual(placesWithin([1, 2], 5, 6), [0, -1]);
});

test("the generator's health belongs to the whole run, and comes with each second", () => {
  const series = new Series(wire([10], [1]));
  series.append({ ...tick(11), health: { in_flight: 4, lag_ms: 2.5 } });
  assert.deepEqual(series.column(TOTAL, "in_flight"), [null, 4]);
  assert.deepEqual(series.column(TOTAL, "cpu_percent"), [null, null]);
  assert.equal("in_flight" in series.columns.get(3), false);
});

test("extremes are there where they were told, and unknown for seconds that came since", () => {
  const series = new Series({ step_s: 10, t: [10, 20], series: [{ endpoint: null, rps: [5, 6], rps_low: [1, 2], rps_high: [9, 8] }] });
  series.append(tick(30));
  assert.deepEqual(series.ends(TOTAL, "rps"), { low: [1, 2, null], high: [9, 8, null] });
  assert.equal(series.ends(TOTAL, "p95_ms"), null);
  assert.equal(series.ends(7, "rps"), null);
  series.trim(1);
  assert.deepEqual(series.ends(TOTAL, "rps"), { low: [null], high: [null] });
});
