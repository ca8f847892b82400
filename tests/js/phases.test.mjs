import assert from "node:assert/strict";
import { test } from "node:test";
import { Phases, extent, inOrder } from "../../static/js/run/phases.js";

const phase = (kind, from, to) => ({ kind, from, to, stage: null });

test("steady comes first, then by kind and time; what is not known last", () => {
  const order = inOrder([phase("ramp_up", 0, 9), phase("steady", 50, 60), phase("odd", 1, 2), phase("ramp_down", 61, 70), phase("steady", 10, 40), phase("paused", 41, 49)]);
  assert.deepEqual(order.map(({ kind, from }) => `${kind} ${from}`), ["steady 10", "steady 50", "ramp_up 0", "ramp_down 61", "paused 41", "odd 1"]);
});

test("a phase stands where its seconds stand on the axis", () => {
  assert.deepEqual(extent({ from: 0, to: 9 }, [-0.5, 19.5]), { left: 0, right: 0.5 });
  assert.deepEqual(extent({ from: 10, to: 99 }, [-0.5, 19.5]), { left: 0.5, right: 1 });
  assert.equal(extent({ from: 30, to: 40 }, [-0.5, 19.5]), null);
});

test("they are asked for now and then, one question at a time, and moments become seconds", async () => {
  let asked = 0;
  const api = { get: async () => {
    asked += 1;
    return { phases: [{ kind: "steady", stage: null, from: "1970-01-01T00:00:10.000Z", to: "1970-01-01T00:00:20.000Z", totals: {} }] };
  } };
  let now = 0;
  const phases = new Phases({ api, onChange: () => {}, now: () => now, isSeen: () => true });
  await Promise.all([phases.fetch(), phases.fetch()]);
  assert.equal(asked, 1);
  assert.deepEqual([phases.list[0].from, phases.list[0].to], [10, 20]);
  now = 14_000;
  await phases.heard();
  assert.equal(asked, 1);
  now = 15_000;
  await phases.heard();
  assert.equal(asked, 2);
});

test("a server that cannot answer is asked again, and what was known stays", async () => {
  const answers = [{ phases: [{ kind: "steady", from: 1, to: 2, totals: {} }] }];
  const api = { get: async () => answers.shift() ?? Promise.reject(new Error("away")) };
  const phases = new Phases({ api, onChange: () => {}, now: () => 0, isSeen: () => true });
  await phases.fetch();
  await phases.fetch();
  assert.equal(phases.list.length, 1);
  assert.equal(phases.isAsking, false);
});
