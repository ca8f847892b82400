import assert from "node:assert/strict";
import { test } from "node:test";
import { TOTAL } from "../../static/js/run/series.js";
import { Store } from "../../static/js/run/store.js";

const T = Date.parse("2026-01-31T12:00:00Z") / 1000;
const at = (second) => new Date((T + second) * 1000).toISOString();
const endpoint = (index, requests = 0) => ({ index, method: "GET", name: `/${index}`, totals: { requests, failures: 0 } });

function snapshot(more = {}) {
  return {
    type: "snapshot", seq: 2, now: at(2), run: { state: "running", started_at: at(0), users: 10 },
    endpoints: [endpoint(0, 5)],
    series: { step_s: 1, t: [T, T + 1], series: [{ endpoint: null, rps: [3, 4], users: [1, 2] }, { endpoint: 0, rps: [3, 4] }] },
    failures: [], exceptions: [], events: [], log: { seq: 1, lines: ["one"] }, ...more,
  };
}

function tick(second, { requests = 4, users = 2, rows = [] } = {}) {
  return { type: "tick", seq: second, t: at(second), users, total: { requests, failures: 0 }, rows };
}

function loaded() {
  const store = new Store();
  store.apply(snapshot());
  return store;
}

test("a snapshot replaces everything", () => {
  const store = loaded();
  store.apply(tick(2));
  store.apply(snapshot());
  assert.equal(store.series.t.length, 2);
  assert.equal(store.endpoints.size, 1);
  assert.equal(store.latest.users, 2);
  assert.deepEqual(store.log.lines, ["one"]);
});

test("a tick without a request in it is a second of nothing", () => {
  const store = loaded();
  store.apply({ ...tick(2), total: null });
  assert.equal(store.series.column(TOTAL, "rps").at(-1), 0);
});

test("an endpoint announced on the way is followed from there", () => {
  const store = loaded();
  store.apply(tick(2));
  store.apply({ type: "endpoints", endpoints: [endpoint(0, 9), endpoint(1, 1)] });
  store.apply(tick(3, { rows: [{ endpoint: 1, requests: 2, failures: 0 }] }));
  assert.deepEqual(store.series.column(1, "rps"), [null, null, null, 2]);
  assert.equal(store.endpoints.get(0).totals.requests, 9);
  assert.deepEqual(store.endpoints.get(1).spark, [2]);
});

test("users who wait while nothing completes are a stall", () => {
  const store = loaded();
  assert.equal(store.stalledFor, 0);
  store.apply(tick(2, { requests: 0 }));
  store.apply(tick(5, { requests: 0 }));
  assert.equal(store.stalledFor, 4);
  store.apply(tick(6));
  assert.equal(store.stalledFor, 0);
  store.apply(tick(20, { requests: 0, users: 0 }));
  assert.equal(store.stalledFor, 0);
});

test("a stall is known from a snapshot alone", () => {
  const store = new Store();
  const t = [T, T + 1, T + 8];
  store.apply(snapshot({ series: { step_s: 1, t, series: [{ endpoint: null, rps: [3, 0, 0], users: [2, 2, 2] }] } }));
  assert.equal(store.stalledFor, 8);
});

test("a run that is over does not stall", () => {
  const store = loaded();
  store.apply(tick(9, { requests: 0 }));
  store.apply({ type: "state", run: { state: "finished" } });
  assert.equal(store.stalledFor, 0);
});

test("seconds that came during a fetch are put back on", () => {
  const store = loaded();
  store.apply(tick(2));
  store.apply(tick(3));
  store.replaceSeries({ step_s: 2, t: [T], series: [{ endpoint: null, rps: [3.5] }] });
  assert.deepEqual(store.series.t, [T, T + 2, T + 3]);
});

test("events come once and in order", () => {
  const store = loaded();
  const event = (id) => ({ type: "event", event: { id, at: at(1), kind: "note", text: id, by: "" } });
  store.apply(event("b"));
  store.apply(event("a"));
  assert.deepEqual(store.apply(event("b")), []);
  assert.deepEqual(store.events.map(({ id }) => id), ["a", "b"]);
});

test("the log keeps its newest lines and says how many went", () => {
  const store = loaded();
  store.apply({ type: "log", seq: 2, lines: Array.from({ length: 2_500 }, (_, place) => `line ${place}`) });
  assert.equal(store.log.lines.length, 2_000);
  assert.equal(store.log.from, 501);
  assert.deepEqual(store.apply({ type: "log", seq: 2, lines: ["again"] }), []);
});

test("the server's clock is used, not the browser's", () => {
  const store = loaded();
  assert.ok(Math.abs(store.now() - (T + 2) * 1000) < 1_000);
});

test("users who wait for nothing are no stall", () => {
  const store = loaded();
  const health = (in_flight) => ({ in_flight, oldest_ms: 10, lag_ms: 1, cpu_percent: 1, rss_bytes: 1, open_files: 1, target_users: 2 });
  store.apply({ ...tick(2, { requests: 0 }), health: health(0) });
  store.apply({ ...tick(9, { requests: 0 }), health: health(0) });
  assert.equal(store.stalledFor, 0);
  store.apply({ ...tick(10, { requests: 0 }), health: health(1) });
  assert.equal(store.stalledFor, 9);
});
