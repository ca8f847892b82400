import assert from "node:assert/strict";
import { test } from "node:test";
import { corners, seconds } from "../../static/js/profile.js";

test("durations are read as the server reads them", () => {
  assert.equal(seconds("90"), 90);
  assert.equal(seconds(" 1h 30m "), 5400);
  assert.equal(seconds("5M"), 300);
  for (const wrong of ["", " ", "5x", "-5", "1.5m", "m"]) assert.ok(Number.isNaN(seconds(wrong)), wrong);
});

test("a plain load ramps up and holds", () => {
  assert.deepEqual(corners([{ duration: 60, users: 10, rate: 2 }]), [[0, 0], [5, 10], [60, 10]]);
});

test("a stage that is too short does not reach its users", () => {
  assert.deepEqual(corners([{ duration: 3, users: 10, rate: 2 }]).at(-1), [3, 6]);
});

test("stages go on from where the last one ended, down too", () => {
  const points = corners([{ duration: 10, users: 10, rate: 1 }, { duration: 10, users: 0, rate: 2 }]);
  assert.deepEqual(points, [[0, 0], [10, 10], [10, 10], [15, 0], [20, 0]]);
});
