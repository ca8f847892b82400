// What people do on the run page, as far as it is pure: changes of the load, notes, the log, counts that are compared.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changesOf, eventWords, pausedSince, proposalOf } from "../../static/js/run/events.js";
import { Ranker, holds, pieces, rankOf } from "../../static/js/run/loglines.js";
import { isoOf, localValue, spanOf } from "../../static/js/run/notes.js";
import { goalOf } from "../../static/js/run/phase.js";
import { compared, ratio, verdictOf } from "../../static/js/run/reconcile.js";
import { hindrance, wishOf } from "../../static/js/run/steer.js";

const steering = { revision: 0, users: null, spawn_rate: null, is_paused: false, own_shape: "" };
const plan = { state: "running", users: 10, spawn_rate: 2, run_time_s: 60, steering };

test("the load can be changed while it runs, and what is in the way has a name", () => {
  assert.equal(hindrance(plan), "");
  assert.equal(hindrance({ ...plan, state: "starting" }), "");
  for (const state of ["queued", "claimed"]) assert.equal(hindrance({ ...plan, state }), "queued");
  assert.equal(hindrance({ ...plan, state: "stopping" }), "stopping");
  for (const state of ["finished", "stopped", "failed", "lost"]) assert.equal(hindrance({ ...plan, state }), "over");
  const shaped = { ...plan, steering: { ...steering, own_shape: "Waves" } };
  assert.deepEqual([hindrance(shaped), hindrance(shaped, "users"), hindrance(shaped, "time")], ["own_shape", "own_shape", ""]);
  assert.equal(hindrance({ ...shaped, state: "queued" }, "time"), "queued");
});

test("the goal is what somebody said, else the plan's; what was not said stays as planned", () => {
  const steered = (run, change) => ({ ...run, steering: { ...steering, ...change } });
  assert.deepEqual(goalOf(plan, 0), { users: 10, rate: 2 });
  assert.deepEqual(goalOf(steered(plan, { users: 0 }), 30), { users: 0, rate: 2 });
  assert.deepEqual(goalOf(steered(plan, { spawn_rate: 5 }), 3), { users: 10, rate: 5 });
  const staged = { ...plan, stages: [{ duration: 10, users: 4, spawn_rate: 1 }, { duration: 20, users: 8, spawn_rate: 3 }] };
  assert.deepEqual([0, 9.9, 10, 29, 99].map((second) => goalOf(staged, second).users), [4, 4, 8, 8, 8]);
  assert.deepEqual(goalOf(staged, 12), { users: 8, rate: 3 });
  assert.deepEqual(goalOf(steered(staged, { users: 15 }), 12), { users: 15, rate: 3 });
});

test("only what was changed is asked for, and nonsense goes to the server as it was typed", () => {
  const now = { users: "10", spawn_rate: "2" };
  assert.deepEqual(wishOf({ users: "10", spawn_rate: " 2 " }, now), {});
  assert.deepEqual(wishOf({ users: "20", spawn_rate: "2" }, now), { users: 20 });
  assert.deepEqual(wishOf({ users: "0", spawn_rate: "0.5" }, now), { users: 0, spawn_rate: 0.5 });
  assert.deepEqual(wishOf({ users: "many", spawn_rate: "" }, now), { users: "many", spawn_rate: "" });
  assert.deepEqual(wishOf({ run_time: "15m" }, {}), { run_time: "15m" });
  assert.deepEqual(wishOf({ run_time: "90" }, {}), { run_time: "90" });
  assert.deepEqual(wishOf({ run_time: "" }, {}), {});
});

test("a change is said as old and new", () => {
  // Without the page's sentences a name stands for its sentence.
  assert.deepEqual(changesOf({ users: [10, 20], run_time_s: [60, 120] }), ["change_users", "change_run_time_s"]);
  assert.deepEqual(changesOf({ paused: [false, true], spawn_rate: [null, 5] }), ["change_paused", "change_spawn_rate"]);
  assert.deepEqual(changesOf({ paused: [true, false] }), ["change_resumed"]);
  assert.deepEqual(changesOf({ users: 5, other: [1, 2] }), []);
  assert.equal(eventWords({ kind: "control", text: "Changed", data: {} }), "Changed");
  assert.equal(eventWords({ kind: "note", text: "x", data: { users: [1, 2] } }), "x");
});

test("a pause began when the last change says so", () => {
  const change = (at, paused) => ({ kind: "control", at, data: { paused } });
  assert.equal(pausedSince([]), null);
  assert.equal(pausedSince([change("a", [false, true])]), "a");
  assert.equal(pausedSince([change("a", [false, true]), change("b", [true, false])]), null);
  assert.equal(pausedSince([change("a", [false, true]), { kind: "control", at: "b", data: { users: [1, 2] } }]), "a");
});

test("the proposed rule is found in either form, and a warning without one is no rule", () => {
  const warning = (data) => [{ kind: "warning", data }];
  const rule = { from: "/users/1", to: "/users/{id}", names: 900 };
  assert.deepEqual(proposalOf(warning({ code: "too_many_names", ...rule })), rule);
  assert.deepEqual(proposalOf(warning({ code: "too_many_names", data: rule })), rule);
  assert.deepEqual(proposalOf(warning({ code: "too_many_names" })), { from: "", to: "", names: null });
  assert.deepEqual(proposalOf(warning({ code: "too_many_names", from: 1, to: "x" })), { from: "", to: "", names: null });
  assert.equal(proposalOf(warning({ code: "generator_cpu", ...rule })), null);
  assert.equal(proposalOf([]), null);
});

test("a line without a head goes on with the line before", () => {
  const ranker = new Ranker();
  const at = "[2026-11-21 04:12:52,123] host/";
  const lines = ["hello", `${at}WARNING/a: hot`, "  more", "Traceback (most recent call last):", "  x", `${at}DEBUG/a: y`, `x ${at}ERROR/a: no head`];
  assert.deepEqual(lines.map((line) => ranker.next(line).rank), ["info", "warning", "warning", "error", "error", "debug", "debug"].map(rankOf));
  assert.deepEqual(new Ranker().next(`\u001b[31m${at}ERROR/a: red\u001b[0m`), { text: `${at}ERROR/a: red`, rank: 3 });
});

test("found words are marked wherever they are, as text and not as a pattern", () => {
  const words = (text, wanted) => pieces(text, wanted).map((piece) => (piece.isFound ? `[${piece.text}]` : piece.text)).join("|");
  assert.equal(words("An error, ERROR", "error"), "An |[error]|, |[ERROR]");
  assert.equal(words("aaa", "aa"), "[aa]|a");
  assert.equal(words("a.c abc", "a.c"), "[a.c]| abc");
  assert.equal(words("none", "x"), "none");
  assert.equal(words("", "x"), "");
  assert.equal(words("abc", ""), "abc");
  assert.equal(words("İx", "x"), "İx"); // grows when it is made small: not marked, but shown whole
  assert.ok(holds("İx", "X") && !holds("abc", "d") && holds("abc", ""));
});

test("a note is about the moment pointed at, else the window, else now", () => {
  const window = { from: 100, to: 200 };
  assert.deepEqual(spanOf({ pointed: 150, window, now: 999.9 }), { at: 150, until: null });
  assert.deepEqual(spanOf({ pointed: null, window, now: 999.9 }), { at: 100, until: 200 });
  assert.deepEqual(spanOf({ pointed: null, window: null, now: 999.9 }), { at: 999, until: null });
});

test("the time in the form is the viewer's, on the wire it is UTC", () => {
  for (const t of [1_800_000_000, 1_790_000_001]) assert.equal(Date.parse(isoOf(localValue(t))) / 1000, t);
  assert.equal(isoOf(""), null);
  assert.equal(isoOf("nonsense"), null);
});

test("endpoints that differ come first, then the busiest", () => {
  const endpoint = (label, requests, locust) => ({ label, totals: { requests }, locust, difference: locust === null ? null : requests - locust });
  const rows = compared([endpoint("same", 5, 5), endpoint("busy", 9, 9), endpoint("less", 8, 10), endpoint("one", 3, 2), endpoint("unknown", 7, null)]);
  assert.deepEqual(rows.map(({ label }) => label), ["less", "one", "busy", "unknown", "same"]);
  const said = verdictOf(rows);
  assert.equal(said.name, "compared_differ");
  assert.deepEqual([said.values.differing, said.values.endpoints, said.values.worst], ["2", "4", "50\u202f%"]);
  assert.equal(verdictOf(compared([endpoint("same", 5, 5)])).isEqual, true);
  assert.equal(verdictOf(compared([endpoint("unknown", 5, null)])).name, "compared_none");
  assert.equal(verdictOf([]).name, "compared_none");
});

test("a ratio never rounds a difference away", () => {
  const of = (collected, locust) => ratio({ collected, locust }).replace("\u202f", " ");
  assert.equal(of(5, 5), "100 %");
  assert.equal(of(999_999, 1_000_000), "99.9999 %");
  assert.equal(of(99_999_999, 100_000_000), "< 100 %");
  assert.equal(of(100_000_001, 100_000_000), "> 100 %");
  assert.equal(of(0, 3), "0 %");
  assert.equal(of(3, 0), "–");
  assert.equal(of(3, null), "–");
});
