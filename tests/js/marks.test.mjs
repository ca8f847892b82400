import assert from "node:assert/strict";
import { test } from "node:test";
import { allMarks, eventMarks, markNear, phaseMarks, stallsOf } from "../../static/js/run/marks.js";
import { Series } from "../../static/js/run/series.js";

const words = (seconds) => `${seconds} s`;
const series = (rps, users, in_flight, step_s = 1) =>
  new Series({ step_s, t: rps.map((_, place) => 100 + place * step_s), series: [{ endpoint: null, rps, users, in_flight }] });

test("three seconds with users and without a request are a stall, two are none", () => {
  const users = [2, 2, 2, 2, 2, 2, 2];
  const found = stallsOf(series([5, 0, 0, 0, 5, 0, 0], users, [1, 2, 2, 2, 1, 2, 2]), words);
  assert.deepEqual(found, [{ kind: "stall", t: 101, until: 103, text: "3 s" }]);
});

test("a stall that lasts until now is one", () => {
  assert.equal(stallsOf(series([5, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]), words).length, 1);
});

test("users who wait for nothing, and nobody at all, are no stall", () => {
  assert.deepEqual(stallsOf(series([5, 0, 0, 0], [2, 2, 2, 2], [0, 0, 0, 0]), words), []);
  assert.deepEqual(stallsOf(series([5, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]), words), []);
});

test("where it is not known what waits, silence counts; a gap in the measurement does not", () => {
  assert.equal(stallsOf(series([5, 0, 0, 0], [2, 2, 2, 2]), words).length, 1);
  assert.deepEqual(stallsOf(series([5, null, null, null], [2, 2, 2, 2]), words), []);
});

test("coarse steps stand for all their seconds", () => {
  assert.deepEqual(stallsOf(series([5, 0, 5], [2, 2, 2], [1, 1, 1], 10), words)[0], { kind: "stall", t: 110, until: 119, text: "10 s" });
});

test("events of some kinds are marks; a span has an end", () => {
  const at = "2026-01-31T12:00:00Z";
  const events = [{ kind: "state", at, text: "x" }, { kind: "note", at, until: "2026-01-31T12:01:00Z", text: "deploy" }, { kind: "control", at, text: "c" }];
  const marks = eventMarks(events, (event) => event.text);
  assert.deepEqual(marks.map(({ kind, until, t }) => [kind, until && until - t]), [["note", 60], ["control", null]]);
});

test("the mark under the cursor: points before spans", () => {
  const marks = [{ kind: "stall", t: 10, until: 20, text: "stall" }, { kind: "note", t: 15, until: null, text: "note" }];
  assert.equal(markNear(marks, 15.5, 1).text, "note");
  assert.equal(markNear(marks, 18, 1).text, "stall");
  assert.equal(markNear(marks, 30, 1), null);
});

test("phases are marked where they meet, not where the run begins", () => {
  assert.deepEqual(phaseMarks([{ from: 1, label: "a" }, { from: 5, label: "b" }], ({ label }) => label), [{ kind: "phase", t: 5, until: null, text: "b" }]);
});

test("a stall that is shaded has no second mark; one that is not seen in the figures has", () => {
  const stall = { kind: "stall", t: 100, until: 110, text: "" };
  const event = (t) => ({ kind: "stall", t, until: null, text: "" });
  assert.equal(allMarks([stall], [event(103)], []).length, 1);
  assert.equal(allMarks([stall], [event(300)], []).length, 2);
  assert.equal(allMarks([stall], [{ ...event(103), kind: "note" }], [{ kind: "phase", t: 1 }]).length, 3);
});
