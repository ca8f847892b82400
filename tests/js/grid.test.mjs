import assert from "node:assert/strict";
import { test } from "node:test";
import { Grid, MOST_COLUMNS, MOST_ROWS } from "../../static/js/run/grid.js";

const wire = { step_s: 2, t: [100, 102, 106], edges_ms: [10, 20, 40], counts: [[1, 2], [3, 0], [0, 5]] };
const all = (grid) => grid.summed(-Infinity, Infinity).reduce((sum, count) => sum + count, 0);
const whole = (grid) => [grid.start, grid.end];

test("the server's columns stand at their times, and what was not measured is no column of nothing", () => {
  const grid = new Grid({ ...wire, counts: [[1, 2], null, [0, 5]] });
  assert.deepEqual(grid.columns, [[1, 2], null, null, [0, 5]]);
  assert.deepEqual(whole(grid), [100, 108]);
  assert.deepEqual(grid.summed(100, 101), [1, 2]);
  assert.deepEqual(grid.summed(...whole(grid)), [1, 7]);
  assert.equal(grid.mostWithin(100, 105), 2);
  assert.deepEqual(grid.rowsWithin(106, 107), [1, 1]);
  assert.equal(grid.rowsWithin(102, 105), null);
});

test("before the first request there are no rows, and the first one makes them", () => {
  for (const edges_ms of [[], [0], [0, 0], [5, 5, 5]]) {
    const grid = new Grid({ step_s: 1, t: [100, 101], edges_ms, counts: [[0], null] });
    assert.equal(grid.rows, 0);
    grid.add(102, [[150, 2], [8, 1]]);
    assert.equal(all(grid), 3);
    assert.ok(grid.rows > 1 && grid.rows <= MOST_ROWS);
    assert.deepEqual([grid.rowOf(8) >= 0, grid.rowOf(150) > grid.rowOf(8)], [true, true]);
  }
});

test("a boundary belongs to the row below it", () => {
  const grid = new Grid(wire);
  assert.deepEqual([10, 10.1, 20, 20.1, 40, 40.1, 9].map((ms) => grid.rowOf(ms)), [0, 0, 0, 1, 1, -1, -1]);
});

test("a second is added to the column that covers it", () => {
  const grid = new Grid(wire);
  grid.add(107, [[15, 4], [30, 1]]);
  assert.deepEqual(grid.columns[3], [4, 6]);
  grid.add(108, []);
  assert.deepEqual(grid.columns[4], [0, 0]);
});

test("a second before the first column is passed over", () => {
  const grid = new Grid(wire);
  grid.add(99, [[15, 4]]);
  assert.equal(all(grid), 11);
});

test("times beyond the edges get rows of their own, in the same ratio", () => {
  const grid = new Grid(wire);
  grid.add(107, [[130, 7], [4, 9]]);
  assert.deepEqual(grid.edges, [2.5, 5, 10, 20, 40, 80, 160]);
  assert.deepEqual(grid.columns[0], [0, 0, 1, 2, 0, 0]);
  assert.deepEqual(grid.columns[3], [9, 0, 0, 5, 0, 7]);
  assert.equal(grid.rowOf(130), 5);
});

test("a time of nothing has a place too", () => {
  const grid = new Grid(wire);
  grid.add(107, [[0, 1], [0.0001, 1]]);
  assert.equal(all(grid), 13);
  const fresh = new Grid();
  fresh.add(5, [[0, 3]]);
  assert.equal(all(fresh), 3);
});

test("it begins empty and grows from the first second", () => {
  const grid = new Grid();
  grid.add(50, []);
  assert.equal(grid.isEmpty, true);
  grid.add(51, [[12, 3], [100, 1]]);
  assert.equal(grid.isEmpty, false);
  assert.equal(grid.start, 50);
  const row = grid.rowOf(12);
  assert.ok(grid.edges[row] < 12 && 12 <= grid.edges[row + 1]);
  assert.equal(grid.columns[1][row], 3);
});

test("hours of seconds keep its size, and no request is lost", () => {
  const grid = new Grid();
  for (let second = 0; second < 10_000; second += 1) grid.add(1_000 + second, [[20 + (second % 7), 2], [900, 1]]);
  assert.ok(grid.columns.length <= MOST_COLUMNS);
  assert.equal(all(grid), 30_000);
  assert.equal(grid.timeOf(0) % grid.step, 0);
  assert.equal(grid.slotOf(10_999), grid.columns.length - 1);
});

test("any spread of times keeps its rows few", () => {
  const grid = new Grid();
  for (let power = -3; power < 6; power += 0.25) grid.add(10, [[10 ** power, 1]]);
  assert.ok(grid.rows <= MOST_ROWS);
  assert.equal(all(grid), 36);
  const row = grid.rowOf(1_000);
  assert.ok(grid.columns[0][row] > 0);
});
