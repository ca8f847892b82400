import assert from "node:assert/strict";
import { test } from "node:test";
import { askedUsers, elapsed, phaseOf, stepFinder, stepsOf } from "../../static/js/run/phase.js";

test("each state has its face", () => {
  const face = (state, requests = 0) => phaseOf({ state, totals: { requests } });
  assert.equal(face("queued"), "queued");
  assert.equal(face("claimed"), "starting");
  assert.equal(face("starting"), "starting");
  assert.equal(face("running"), "live");
  assert.equal(face("stopping", 5), "live");
  assert.equal(face("finished"), "report");
  assert.equal(face("stopped"), "report");
  assert.equal(face("failed"), "failed");
  assert.equal(face("failed", 5), "report");
  assert.equal(face("lost", 5), "report");
});

test("steps tick by what the run says, with times from events", () => {
  const events = [{ kind: "step", text: "Locust started", at: "2026-01-31T12:00:00Z", data: {} }];
  const steps = stepsOf({ state: "starting" }, stepFinder(events));
  assert.deepEqual(steps.map(({ done }) => done), [true, true, false, false, false]);
  assert.equal(steps[1].at, "2026-01-31T12:00:00Z");
});

test("a later step proves the earlier ones", () => {
  const steps = stepsOf({ state: "running", started_at: "x", totals: { requests: 1 } }, () => undefined);
  assert.ok(steps.every(({ done }) => done));
});

test("users asked for ramp up and follow the stages", () => {
  const plain = { users: 50, spawn_rate: 10, run_time_s: 60 };
  assert.equal(askedUsers(plain, 0), 10);
  assert.equal(askedUsers(plain, 2), 30);
  assert.equal(askedUsers(plain, 30), 50);
  const stages = { users: 20, stages: [{ duration: 10, users: 20, spawn_rate: 5 }, { duration: 10, users: 5, spawn_rate: 5 }] };
  assert.equal(askedUsers(stages, 1), 10);
  assert.equal(askedUsers(stages, 9), 20);
  assert.equal(askedUsers(stages, 11), 10);
  assert.equal(askedUsers(stages, 99), 5);
});

test("elapsed ends with the run", () => {
  const run = { started_at: "2026-01-31T12:00:00Z" };
  assert.equal(elapsed(run, Date.parse("2026-01-31T12:01:00Z")), 60);
  assert.equal(elapsed({ ...run, finished_at: "2026-01-31T12:00:30Z" }, Date.parse("2026-01-31T12:01:00Z")), 30);
  assert.equal(elapsed({}, 0), 0);
});
