import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../static/js/run/history.js";
import { Selection } from "../../static/js/run/selection.js";
import { MAX_POINTS } from "../../static/js/run/series.js";
import { Store } from "../../static/js/run/store.js";

const T = 1_800_000_000;
const endpoint = (index) => ({ index, method: "GET", name: `/${index}`, totals: { requests: 1, failures: 0 } });
const times = (many, step = 1) => Array.from({ length: many }, (_, place) => T + place * step);

function wire(keys, t, step_s) {
  return { step_s, t, series: keys.map((key) => ({ endpoint: key, rps: t.map(() => 1) })) };
}

/** A page over a run of `seconds`, with a server that answers every question in `step` seconds a point. */
function page(seconds, { step = 10, fails = false } = {}) {
  const store = new Store();
  store.apply({
    type: "snapshot", seq: seconds, run: { state: "running" }, endpoints: [endpoint(0), endpoint(1)],
    series: wire([null, 0], times(seconds), 1),
  });
  const asked = [];
  const api = {
    series: async (keys, options) => {
      asked.push({ keys, ...options });
      if (fails) throw new Error("away");
      return wire(keys, times(Math.ceil(seconds / step), step), step);
    },
  };
  const selection = new Selection();
  const errors = [];
  const history = new History({ api, store, selection, onChange: () => {}, onError: (error) => errors.push(error) });
  return { store, selection, history, asked, errors };
}

test("a short history is left alone", async () => {
  const { history, asked } = page(MAX_POINTS);
  await history.keepSmall();
  assert.equal(asked.length, 0);
});

test("a long history is fetched again in coarser steps", async () => {
  const { history, store, asked } = page(MAX_POINTS + 1);
  await history.keepSmall();
  assert.equal(asked.length, 1);
  assert.ok(store.series.t.length <= 400);
  assert.equal(store.series.step, 10);
});

test("without an answer the oldest points go, so memory has an end", async () => {
  const { history, store, errors } = page(MAX_POINTS + 50, { fails: true });
  await history.keepSmall();
  assert.equal(store.series.t.length, MAX_POINTS);
  assert.deepEqual(errors, ["away"]);
});

test("a line that is switched on is fetched once and put beside the others", async () => {
  const { history, store, selection, asked } = page(100, { step: 1 });
  selection.toggle(1);
  await Promise.all([history.ensureLines(), history.ensureLines()]);
  assert.deepEqual(asked.map(({ keys }) => keys), [[1]]);
  assert.equal(store.series.column(1, "rps").length, 100);
});

test("a zoom into coarse history asks for finer steps, into seconds it does not", async () => {
  const fine = page(100);
  await fine.history.zoom({ from: T, to: T + 50 });
  assert.equal(fine.asked.length, 0);
  const coarse = page(MAX_POINTS + 1);
  await coarse.history.keepSmall();
  await coarse.history.zoom({ from: T, to: T + 50 });
  assert.equal(coarse.asked.at(-1).from, T);
  assert.equal(coarse.asked.at(-1).to, T + 50);
  assert.notEqual(coarse.history.shown, coarse.store.series);
  await coarse.history.zoom(null);
  assert.equal(coarse.history.shown, coarse.store.series);
});

test("a coarse snapshot is followed by the extremes under its points, one of seconds is not", async () => {
  const fine = page(100);
  fine.history.afterSnapshot();
  assert.equal(fine.asked.some(({ band }) => band), false);
  const { store, history, asked } = page(100);
  store.apply({ type: "snapshot", seq: 1, run: { state: "running" }, endpoints: [], series: wire([null], times(10, 10), 10) });
  history.afterSnapshot();
  const question = asked.find(({ band }) => band);
  assert.deepEqual([question.keys, question.from, question.to, question.points], [[null], T, T + 90, 12]);
});

test("finer steps of a window that goes on are fetched again, not every second", async () => {
  const { history, asked } = page(MAX_POINTS + 1);
  let now = 0;
  history.now = () => now;
  await history.keepSmall();
  const before = asked.length;
  await history.zoom({ from: T + 10, to: T + 4_000 });
  now = 4_000;
  await history.heard({ t: T + 3_605 });
  assert.equal(asked.length, before + 1);
  now = 5_000;
  await history.heard({ t: T + 3_606 });
  assert.equal(asked.length, before + 2);
  now = 60_000;
  await history.heard({ t: T + 4_100 });
  assert.equal(asked.length, before + 2);
});
