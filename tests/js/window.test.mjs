import assert from "node:assert/strict";
import { test } from "node:test";
import { Figures } from "../../static/js/run/window.js";

const T = 1_800_000_000;
const totals = (requests) => ({ requests, failures: 1, rps: requests / 10, p95_ms: 40 });
const summary = (requests, more = {}) => ({
  is_exact: true, seconds: 10, totals: totals(requests), users: { low: 1, high: 2 },
  endpoints: [{ index: 3, totals: totals(requests) }], failures: [{ index: 1, occurrences: 7 }], ...more,
});

/** Figures of a run of which the server answers with `answers`, one after the other. */
function page(...answers) {
  const store = {
    run: { state: "running", totals: totals(1_000) },
    failures: [{ index: 0, occurrences: 90, error: "a" }, { index: 1, occurrences: 50, error: "b" }],
  };
  const asked = [];
  const errors = [];
  const api = { get: (path, params) => {
    asked.push([path, params]);
    const answer = answers.shift();
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  } };
  const clock = { now: 0 };
  const figures = new Figures({ api, store, onChange: () => {}, onError: (error) => errors.push(error), now: () => clock.now });
  return { figures, store, asked, errors, clock };
}

test("without a window every figure is of the whole run", () => {
  const { figures, store, asked } = page();
  assert.equal(figures.totals, store.run.totals);
  assert.equal(figures.totalsOf({ index: 3, totals: "whole" }), "whole");
  assert.equal(figures.failures, store.failures);
  assert.equal(figures.isSettled, false);
  assert.equal(asked.length, 0);
});

test("a window's figures are the server's, nothing is mixed with the whole run's", async () => {
  const { figures, asked } = page(summary(20));
  const coming = figures.show({ from: T, to: T + 9 });
  assert.deepEqual(figures.totals, {}, "while they are on their way nothing is shown in their place");
  assert.deepEqual(figures.totalsOf({ index: 3, totals: "whole" }), {});
  await coming;
  assert.deepEqual(asked, [["summary/", { from: T, to: T + 9 }]]);
  assert.equal(figures.totals.requests, 20);
  assert.equal(figures.totalsOf({ index: 3, totals: "whole" }).requests, 20);
  assert.equal(figures.totalsOf({ index: 9, totals: "whole" }).requests, 0, "an endpoint that was idle then");
  assert.deepEqual(figures.failures, [{ index: 1, occurrences: 7, error: "b" }]);
  assert.equal(figures.isSettled, true);
});

test("failures that no collector told by the second are not known", async () => {
  const { figures } = page(summary(20, { is_exact: false, failures: null }));
  await figures.show({ from: T, to: T + 9 });
  assert.equal(figures.failures, null);
});

test("an answer to an earlier window is dropped", async () => {
  const slow = {};
  const first = new Promise((resolve) => (slow.answer = resolve));
  const { figures } = page(first, summary(5));
  const one = figures.show({ from: T, to: T + 9 });
  await figures.show({ from: T + 100, to: T + 109 });
  slow.answer(summary(99));
  await one;
  assert.equal(figures.totals.requests, 5);
  const last = figures.show({ from: T, to: T + 9 }).catch(() => {});
  figures.show(null);
  await last;
  assert.equal(figures.totals.requests, 1_000);
});

test("a window that reaches beyond now is counted again every few seconds, one that is past is not", async () => {
  const { figures, asked, clock } = page(summary(1), summary(2), summary(3));
  await figures.show({ from: T, to: T + 20 });
  clock.now = 4_000;
  await figures.heard({ t: T + 4 });
  assert.equal(asked.length, 1);
  clock.now = 6_000;
  await figures.heard({ t: T + 6 });
  assert.equal(figures.totals.requests, 2);
  clock.now = 60_000;
  await figures.heard({ t: T + 60 });
  assert.equal(asked.length, 2);
});

test("a server that refuses is heard", async () => {
  const { figures, errors } = page(new Error("No such window."));
  await figures.show({ from: T, to: T + 9 });
  assert.deepEqual(errors, ["No such window."]);
  assert.deepEqual(figures.totals, {});
});
