import assert from "node:assert/strict";
import { test } from "node:test";
import { Responses } from "../../static/js/run/responses.js";
import { MAX_POINTS } from "../../static/js/run/series.js";
import { Store } from "../../static/js/run/store.js";

const T = 1_800_000_000;
const at = (second) => new Date((T + second) * 1_000).toISOString();
const MAPPING = { least_ms: 0.05, gamma: 1.019, last_bucket: 866 };
const bucket = (ms) => Math.ceil(Math.log(ms / MAPPING.least_ms) / Math.log(MAPPING.gamma));
const all = (grid) => grid.summed(-Infinity, Infinity).reduce((sum, count) => sum + count, 0);

function page({ collector = "exact", state = "running", isSeen = true } = {}) {
  const store = new Store();
  store.apply({
    type: "snapshot", seq: 2, now: at(2), run: { state, collector }, endpoints: [], sketch: MAPPING,
    series: { step_s: 1, t: [T, T + 1], series: [{ endpoint: null, rps: [3, 4], users: [1, 2] }] },
  });
  const asked = [];
  const api = { get: async (path, params) => {
    asked.push([path, params]);
    return path === "heatmap/"
      ? { step_s: 1, t: [T, T + 1], edges_ms: [10, 20, 40], counts: [[3, 0], [4, 0]] }
      : { edges_ms: [10, 20, 40], counts: [7, 0], totals: {} };
  } };
  const clock = { now: 0 };
  const responses = new Responses({ api, store, onChange: () => {}, onError: assert.fail, now: () => clock.now, isSeen: () => isSeen });
  const tick = (second, pairs) => {
    const sketch = pairs && pairs.flatMap(([ms, count]) => [bucket(ms), count]);
    const topics = store.apply({ type: "tick", seq: second, t: at(second), users: 1, total: { requests: 1, failures: 0 }, rows: [], sketch });
    return topics.length ? responses.heard(store.latest) : undefined;
  };
  return { store, responses, asked, clock, tick };
}

test("of all endpoints it grows with each second, and asks nothing more", async () => {
  const { responses, asked, clock, tick } = page();
  await responses.fetch();
  assert.deepEqual(asked.map(([path]) => path), ["heatmap/", "distribution/"]);
  assert.equal(asked[0][1].to, T + 1);
  clock.now = 60_000;
  tick(2, [[15, 2], [30, 5]]);
  tick(3, []);
  assert.deepEqual(responses.heat.columns, [[3, 0], [4, 0], [2, 5], [0, 0]]);
  assert.deepEqual(responses.histogram.columns, [[9, 5]]);
  assert.equal(asked.length, 2);
});

test("seconds that came during the question are put on, each once", async () => {
  const { responses, tick } = page();
  const coming = responses.fetch();
  tick(2, [[15, 2]]);
  await coming;
  tick(3, [[15, 1]]);
  assert.equal(all(responses.heat), 10);
  assert.equal(all(responses.histogram), 10);
});

test("of one endpoint the server is asked again, not every second", async () => {
  const { responses, asked, clock, tick } = page();
  await responses.choose(4);
  assert.equal(asked[0][1].endpoint, "4");
  clock.now = 4_000;
  await tick(2, [[15, 2]]);
  assert.equal(asked.length, 2);
  assert.equal(all(responses.heat), 7, "the sketch is of all endpoints");
  clock.now = 5_000;
  await tick(3, [[15, 2]]);
  assert.equal(asked.length, 4);
  assert.equal(asked[2][1].to, T + 3);
});

test("a page that nobody sees asks nothing", async () => {
  const { responses, asked, clock, tick } = page({ isSeen: false });
  await responses.choose(4);
  clock.now = 9_000;
  await tick(2, []);
  assert.equal(asked.length, 2);
});

test("a window takes what lies in it only", async () => {
  const { responses, asked, tick } = page();
  await responses.show({ from: T, to: T + 3 });
  assert.deepEqual([asked[0][1].from, asked[0][1].to], [T, T + 1]);
  tick(3, [[15, 2]]);
  tick(4, [[15, 100]]);
  assert.equal(all(responses.heat), 9);
});

test("an answer to an earlier question is dropped", async () => {
  const { responses } = page();
  const first = responses.choose(4);
  const second = responses.choose(null);
  await Promise.all([first, second]);
  assert.equal(responses.endpoint, null);
  assert.equal(responses.isLoaded, true);
});

test("Locust's files say nothing of it, so nothing is asked", async () => {
  const { responses, asked, tick } = page({ collector: "csv" });
  await responses.fetch();
  await tick(2, null);
  assert.equal(responses.isKnown, false);
  assert.equal(asked.length, 0);
});

test("hours of sketches do not add up in memory", async () => {
  const { responses, store, tick } = page();
  await responses.fetch();
  for (let second = 2; second < 2 * MAX_POINTS; second += 1) {
    tick(second, [[15 + (second % 50), 3], [600, 1]]);
    store.series.trim(MAX_POINTS);
  }
  assert.ok(responses.heat.columns.length <= 600 && responses.heat.rows <= 120);
  assert.ok(store.recent.length <= 30);
  assert.equal(all(responses.heat), 7 + 4 * (2 * MAX_POINTS - 2));
});
