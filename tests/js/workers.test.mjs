import assert from "node:assert/strict";
import { test } from "node:test";
import { workerWarning } from "../../static/js/run/events.js";
import { eventMarks } from "../../static/js/run/marks.js";
import { Store } from "../../static/js/run/store.js";
import { WorkerLines } from "../../static/js/run/worker_lines.js";
import { Rates, clockOffset, extremes, lookOf, merged, nearest, stateLook, sumOf, thereOf } from "../../static/js/run/workers.js";

const worker = (index, more = {}) => ({ index, host: "h", state: "ready", reason: "", users: 2, most_users: 3, requests: 10, failures: 1, ...more });

test("a worker's rate is what its count grew by", () => {
  const rates = new Rates();
  rates.heard([worker(0, { requests: 10 })], 1_000);
  assert.equal(rates.rateOf(0, 1_000), null);
  rates.heard([worker(0, { requests: 30 })], 3_000);
  assert.equal(rates.rateOf(0, 3_000), 10);
});

test("a rate is of the last seconds only, and of a worker that is not told of any more nothing", () => {
  const rates = new Rates();
  for (let second = 0; second <= 20; second += 1) rates.heard([worker(0, { requests: second < 10 ? 0 : (second - 10) * 7 })], second * 1_000);
  assert.equal(rates.rateOf(0, 20_000), 7);
  assert.equal(rates.rateOf(0, 30_000), 0);
});

test("a rate is of the seconds that were counted, whenever they are told", () => {
  const rates = new Rates();
  const told = (second, heard) => {
    const counted_to = new Date(second * 1_000).toISOString();
    rates.heard([worker(0, { requests: second * 20, counted_to })], heard);
  };
  told(100, 0);
  told(100, 900);
  assert.equal(rates.rateOf(0, 900), null);
  told(102, 1_600);
  assert.equal(rates.rateOf(0, 1_600), 20);
  told(103, 3_900);
  assert.equal(rates.rateOf(0, 3_900), 20);
  told(103, 8_000);
  assert.equal(rates.rateOf(0, 9_000), 0);
});

test("a count that fell is another process's, and one that is not known is passed over", () => {
  const rates = new Rates();
  rates.heard([worker(0, { requests: 500 }), worker(1, { requests: null })], 0);
  rates.heard([worker(0, { requests: 4 })], 1_000);
  assert.equal(rates.rateOf(0, 1_000), null);
  rates.heard([worker(0, { requests: 8 })], 2_000);
  assert.equal(rates.rateOf(0, 2_000), 4);
  assert.equal(rates.rateOf(1, 2_000), null);
});

test("the first 32 workers look different from each other", () => {
  const looks = new Set(Array.from({ length: 32 }, (_, index) => JSON.stringify(lookOf(index))));
  assert.equal(looks.size, 32);
  assert.deepEqual(lookOf(32), lookOf(0));
});

test("one that ended with a reason did not end as it should, and a strange state is shown all the same", () => {
  assert.equal(stateLook({ state: "ended", reason: "" }).tone, "");
  assert.equal(stateLook({ state: "ended", reason: "killed" }).tone, "failed");
  assert.equal(stateLook({ state: "odd", reason: "" }).icon, "info");
});

test("those who were heard of are there", () => {
  const workers = ["ready", "silent", "starting", "wanted"].map((state, index) => worker(index, { state }));
  assert.deepEqual(thereOf(workers), { there: 2, all: 4 });
});

test("a clock is told of from 50 ms on, in either direction", () => {
  assert.deepEqual([49.9, -49.9, 50, -320, null].map((ms) => clockOffset({ clock_offset_ms: ms })), [null, null, 50, -320, null]);
});

test("sums pass over what is not known", () => {
  const sum = sumOf([worker(0), worker(1, { requests: null })], ({ index }) => (index ? null : 4));
  assert.deepEqual(sum, { users: 4, most_users: 6, requests: 10, failures: 2, rps: 4, in_use: null });
  assert.equal(sumOf([worker(0, { ids: { in_use: 3 } }), worker(1, { ids: { in_use: null } })], () => null).in_use, 3);
  assert.equal(sumOf([worker(0)], () => null).rps, null);
});

test("lines of workers stand on the times of all of them", () => {
  const answer = (t, rps) => ({ t, step_s: 1, series: [{ endpoint: null, rps }] });
  const found = merged(new Map([[0, answer([1, 2, 3], [5, 6, 7])], [3, answer([2, 4], [8, 9])], [5, { t: [], step_s: 1, series: [{}] }]]), ["rps"]);
  assert.deepEqual(found.t, [1, 2, 3, 4]);
  assert.deepEqual(found.lines.get(0).rps, [5, 6, 7, null]);
  assert.deepEqual(found.lines.get(3).rps, [null, 8, null, 9]);
  assert.deepEqual(found.lines.get(5).rps, [null, null, null, null]);
});

test("a reading is of what is known of the workers", () => {
  assert.deepEqual(extremes([3, null, 1, undefined, 2]), [1, 3]);
  assert.equal(extremes([null, undefined]), null);
});

test("a moment of other charts is the nearest of these", () => {
  assert.deepEqual([0, 12, 16, 99].map((t) => nearest([10, 15, 20], t)), [0, 0, 1, 2]);
});

test("workers come with a snapshot, and anew with each message", () => {
  const store = new Store();
  const shared = { type: "snapshot", run: { state: "running" }, series: { t: [], step_s: 1, series: [] }, endpoints: [] };
  assert.ok(store.apply({ ...shared, workers: [worker(0)] }).includes("workers"));
  assert.deepEqual(store.apply({ type: "workers", workers: [worker(0, { users: 9 })] }), ["workers"]);
  assert.equal(store.workers[0].users, 9);
});

test("lines are asked for once a window, again while the run goes on, and not at all of one worker", async () => {
  const asked = [];
  let now = 0;
  const store = { run: { state: "running" }, workers: [worker(0), worker(1)], hasRequests: true, series: { last: 60 } };
  const api = { get: async (path, query) => (asked.push(query), { t: [1], step_s: 1, series: [{ rps: [query.worker] }] }) };
  const lines = new WorkerLines({ api, store, onChange: () => {}, onError: assert.fail, now: () => now });
  await lines.look(null);
  await lines.look(null);
  assert.deepEqual(asked.map(({ worker: index, to }) => [index, to]), [[0, 60], [1, 60]]);
  assert.deepEqual(lines.shown.lines.get(1).rps, [1]);
  await lines.look({ from: 5, to: 9 });
  assert.equal(asked.length, 4);
  now = 6_000;
  await lines.look({ from: 5, to: 9 });
  assert.equal(asked.length, 6);
  store.run.state = "finished";
  await lines.look({ from: 5, to: 9 });
  now = 60_000;
  await lines.look({ from: 5, to: 9 });
  assert.equal(asked.length, 8);
  store.workers = [worker(0)];
  await lines.look(null);
  assert.equal(asked.length, 8);
});

test("warnings about workers are marked in the charts and have names of their own", () => {
  const event = { kind: "warning", at: "2026-01-31T12:00:00Z", until: null, text: "gone", data: { code: "worker_away" } };
  assert.equal(workerWarning(event), "warning_worker_away");
  assert.equal(workerWarning({ kind: "warning", data: { code: "too_many_names" } }), null);
  assert.equal(workerWarning({ kind: "note", data: {} }), null);
  assert.equal(eventMarks([event], ({ text }) => text)[0].kind, "warning");
});
