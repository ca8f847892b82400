import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf } from "../../static/js/run/csv.js";
import { rateNow, sorted, sparkPath } from "../../static/js/run/rows.js";
import { MAX_LINES, Selection } from "../../static/js/run/selection.js";

const row = (index, label, requests, failures = 0, p95_ms = 1) => ({ index, label, totals: { requests }, shown: { requests, failures, p95_ms } });
const order = (rows) => rows.map(({ index }) => index);

test("rows sort by any column, equal ones by age", () => {
  const rows = [row(0, "b", 5, 1, 9), row(1, "a", 9), row(2, "c", 5, 2, null)];
  assert.deepEqual(order(sorted(rows, "requests", false)), [1, 0, 2]);
  assert.deepEqual(order(sorted(rows, "label", true)), [1, 0, 2]);
  assert.deepEqual(order(sorted(rows, "failed", false)), [2, 0, 1]);
  assert.deepEqual(order(sorted(rows, "p95_ms", false)), [0, 1, 2]);
});

test("the rate now is a mean of seconds; of a finished run the whole", () => {
  const endpoint = { totals: { rps: 3 }, spark: [100, 4, 4, 4, 4, 9] };
  assert.equal(rateNow(endpoint, { rps: 3 }, false), 5);
  assert.equal(rateNow(endpoint, { rps: 3 }, true), 3);
  assert.equal(rateNow({ spark: null }, {}, false), null);
});

test("a small picture breaks where nothing is known", () => {
  assert.equal(sparkPath([1, 1, null, 1]).match(/M/g).length, 2);
  assert.equal(sparkPath([1]), "");
  assert.equal(sparkPath(null), "");
});

test("a CSV cell is never a formula and keeps its quotes", () => {
  assert.equal(csvOf([["=cmd|' /C calc'!A0", 'say "hi"', -1, null]]), `'=cmd|' /C calc'!A0,"say ""hi""",-1,\r\n`);
  assert.equal(csvOf([["a;=cmd;b", "two\n+1", "a;b"]]), `a;'=cmd;b,"two\n'+1",a;b\r\n`);
  assert.equal(csvOf([["@x", "two\nlines"]]), `'@x,"two\nlines"\r\n`);
});

test("the busiest are on until somebody chooses", () => {
  const selection = new Selection();
  const endpoints = Array.from({ length: 30 }, (_, index) => row(index, String(index), index));
  selection.follow(endpoints, true);
  assert.deepEqual([...selection.on].sort((a, b) => a - b), [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  selection.toggle(0);
  selection.follow(endpoints, true);
  assert.equal(selection.on.size, 11);
});

test("only this one, and back", () => {
  const selection = new Selection();
  selection.follow([row(0, "a", 1), row(1, "b", 2)], true);
  selection.only(1);
  assert.deepEqual([...selection.on], [1]);
  assert.equal(selection.total, false);
  selection.only(1);
  assert.equal(selection.on.size, 2);
  assert.equal(selection.isChosen, false);
});

test("there is an end to lines", () => {
  const selection = new Selection();
  for (let index = 0; index < MAX_LINES; index += 1) assert.equal(selection.toggle(index), true);
  assert.equal(selection.toggle(999), false);
});
