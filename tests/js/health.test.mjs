import assert from "node:assert/strict";
import { test } from "node:test";
import { HOT_CPU_PERCENT, SLOW_LOOP_MS, stateOf, thinned, underLoad } from "../../static/js/run/health.js";
import { between, niceTimes } from "../../static/js/run/scale.js";

const live = { isSettled: false, isExact: true, beside: [] };

test("a hot CPU and a slow loop are said in words", () => {
  assert.deepEqual([stateOf("cpu", { ...live, shown: HOT_CPU_PERCENT }).isBad, stateOf("cpu", { ...live, shown: 89.9 }).isBad], [true, false]);
  assert.equal(stateOf("cpu", { ...live, shown: 95 }).word, "gauge_cpu_bad");
  assert.deepEqual([stateOf("lag", { ...live, shown: SLOW_LOOP_MS }).isBad, stateOf("lag", { ...live, shown: 199 }).isBad], [true, false]);
});

test("users that are missing are counted", () => {
  const state = stateOf("users", { ...live, shown: 8, beside: [null, 10, 10] });
  assert.deepEqual([state.value, state.isBad, state.word], ["8 / 10", true, "users_missing"]);
  assert.equal(stateOf("users", { ...live, shown: 10, beside: [10] }).isBad, false);
  assert.equal(stateOf("users", { ...live, shown: 10, beside: [null] }).isBad, null);
});

test("what is not known is neither good nor bad", () => {
  assert.deepEqual(stateOf("lag", { ...live, isExact: false, shown: null }), { value: "–", word: "not_known_csv", isBad: null });
  assert.equal(stateOf("files", { ...live, shown: null }).word, "live_only");
});

test("a small picture keeps the peaks", () => {
  const values = Array.from({ length: 1_000 }, (_, place) => (place === 517 ? 99 : 1));
  const few = thinned(values, 50);
  assert.equal(few.length, 50);
  assert.equal(Math.max(...few), 99);
  assert.deepEqual(thinned([1, null], 50), [1, null]);
});

test("a stretch of response times is said with one unit where it has one", () => {
  assert.equal(between(120, 135), "120–135\u202fms");
  assert.equal(between(9_000, 11_000), "9,000\u202fms–11\u202fs");
});

test("the axis is labelled at round times, and never at fewer than two", () => {
  assert.deepEqual(niceTimes(1, 100, 2), [1, 2, 5, 10, 20, 50, 100]);
  assert.deepEqual(niceTimes(0.5, 50_000, 2), [1, 10, 100, 1_000, 10_000]);
  assert.equal(niceTimes(110, 130, 2).length, 3);
});

test("the loop may be late when nobody is left", () => {
  assert.deepEqual(underLoad([3, 9, 219], [2, null, 0]), [3, 9, null]);
});
