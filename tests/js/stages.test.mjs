import assert from "node:assert/strict";
import { test } from "node:test";
import { course, seconds, usersAt } from "../../static/js/profile.js";
import { durationText, templateStages, wrongCell } from "../../static/js/stages.js";

const KINDS = ["ramp", "hold", "step", "spike", "soak", "custom"];
const LOADS = [
  { users: 100, rate: 5, seconds: 600 }, { users: 1, rate: 1, seconds: 10 }, { users: 7, rate: 0.5, seconds: 61 },
  { users: 100_000, rate: 10_000, seconds: 604_800 }, { users: NaN, rate: NaN, seconds: NaN }, { users: 0, rate: -1, seconds: 0 },
];

test("every template is a load that the server takes, and reaches what it says", () => {
  for (const kind of KINDS) {
    for (const load of LOADS) {
      const stages = templateStages(kind, load);
      const name = `${kind} ${JSON.stringify(load)}`;
      for (const { duration, users, rate } of stages) {
        assert.ok(Number.isInteger(duration) && duration >= 1, `${name}: ${duration} s`);
        assert.ok(Number.isInteger(users) && users >= 0, `${name}: ${users} users`);
        assert.ok(rate >= 0.01 && rate <= 10_000, `${name}: ${rate}/s`);
      }
      if (kind !== "custom") for (const part of course(stages)) assert.equal(Math.round(part.users), part.goal, name);
    }
  }
});

test("a template keeps the users and the time that were typed", () => {
  for (const kind of ["ramp", "hold", "step", "spike", "custom"]) {
    for (const load of LOADS.slice(0, 4)) {
      const stages = templateStages(kind, load);
      assert.equal(stages.reduce((sum, { duration }) => sum + duration, 0), load.seconds, kind);
      assert.equal(Math.max(...stages.map(({ users }) => users)), load.users, kind);
    }
  }
  assert.equal(Math.max(...templateStages("soak", LOADS[0]).map(({ duration }) => duration)), 3600);
});

test("each template has its shape", () => {
  const users = (kind) => templateStages(kind, LOADS[0]).map((stage) => stage.users);
  assert.deepEqual(users("ramp"), [100]);
  assert.deepEqual(users("hold"), [100, 100, 0]);
  assert.deepEqual(users("step"), [20, 40, 60, 80, 100]);
  assert.deepEqual(users("spike"), [10, 10, 100, 100, 10, 10]);
  assert.deepEqual(users("soak"), [100, 100, 0]);
});

test("durations are written as the server writes them, and read back", () => {
  for (const [value, text] of [[90, "1m30s"], [3600, "1h"], [5, "5s"], [3725, "1h2m5s"], [0, "0s"], [59.6, "1m"]]) {
    assert.equal(durationText(value), text);
  }
  for (const value of [1, 59, 60, 61, 3599, 86_400]) assert.equal(seconds(durationText(value)), value);
});

test("a wrong cell is named, an empty row is none", () => {
  const row = (duration, users, spawn_rate) => wrongCell({ duration, users, spawn_rate }, seconds);
  assert.equal(row("", " ", ""), null);
  assert.equal(row("1m", "5", "1"), null);
  assert.equal(row("1m", "0", "0.5"), null);
  assert.equal(row("", "5", "1"), "duration");
  assert.equal(row("0s", "5", "1"), "duration");
  for (const users of ["-1", "1.5", "many", ""]) assert.equal(row("1m", users, "1"), "users");
  for (const rate of ["0", "-1", "fast", "", "NaN", "1e999"]) assert.equal(row("1m", "5", rate), "spawn_rate");
});

test("users and stage at a moment", () => {
  const stages = [{ duration: 10, users: 10, rate: 1 }, { duration: 10, users: 0, rate: 2 }];
  assert.deepEqual(usersAt(stages, 0), { stage: 1, users: 0 });
  assert.deepEqual(usersAt(stages, 5), { stage: 1, users: 5 });
  assert.deepEqual(usersAt(stages, 12), { stage: 2, users: 6 });
  assert.deepEqual(usersAt(stages, 20), { stage: 2, users: 0 });
  assert.deepEqual(usersAt([{ duration: 5, users: 3, rate: 100 }], 5), { stage: 1, users: 3 });
});
