import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../static/js/run/api.js";
import { LogSource } from "../../static/js/run/log_source.js";
import { MAX_LINES } from "../../static/js/run/loglines.js";

/** A run of three workers whose logs the server has; `asked` are the questions. */
function opened(more = {}) {
  const asked = [];
  const errors = [];
  const store = { run: { state: "running" }, workers: [0, 1, 2].map((index) => ({ index, host: "h" })), log: { seq: 9, from: 0, lines: ["of the master"] } };
  const lines = { 0: ["a", "b"], 1: ["c"] };
  const state = { now: 0 };
  const api = {
    get: async (path, { worker, after }) => {
      asked.push([path, worker, after]);
      const fresh = (lines[worker] ?? []).slice(after);
      return { seq: after + fresh.length, lines: fresh };
    },
  };
  const source = new LogSource(null, {
    api, store, onChoice: assert.fail, onChange: () => {}, onError: (words) => errors.push(words), now: () => state.now, ...more,
  });
  return { source, store, lines, asked, errors, state };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

test("without a choice it is the log of the run, and nobody is asked", () => {
  const { source, store, asked } = opened();
  source.look();
  assert.equal(source.shown, store.log);
  assert.deepEqual(asked, []);
});

test("a worker's log is asked for at once, and what is new every two seconds", async () => {
  const { source, lines, asked, state } = opened();
  source.choose(0);
  assert.equal(source.shown.isLoading, true);
  await settled();
  assert.deepEqual([source.shown.lines, source.shown.isLoading], [["a", "b"], false]);
  state.now = 1_900;
  source.look();
  lines[0].push("d");
  state.now = 2_000;
  source.look();
  source.look();
  await settled();
  assert.deepEqual(source.shown.lines, ["a", "b", "d"]);
  assert.deepEqual(asked, [["log/", 0, 0], ["log/", 0, 2]]);
});

test("an answer that comes when another is chosen is of no interest, and each has a generation of its own", async () => {
  const { source } = opened();
  source.choose(0);
  const first = source.shown.generation;
  source.choose(1);
  await settled();
  assert.deepEqual(source.shown.lines, ["c"]);
  assert.notEqual(source.shown.generation, first);
  source.choose(null);
  assert.deepEqual(source.shown.lines, ["of the master"]);
});

test("when the run is over it is asked for once more", async () => {
  const { source, store, asked, state } = opened();
  source.choose(0);
  await settled();
  store.run.state = "finished";
  for (state.now = 2_000; state.now < 20_000; state.now += 2_000) {
    source.look();
    await settled();
  }
  assert.equal(asked.length, 2);
});

test("one that is not there is not chosen, until it is", async () => {
  const { source, store } = opened();
  store.workers.pop();
  source.choose(2);
  assert.equal(source.worker, null);
  store.workers.push({ index: 2, host: "h" });
  source.choose(source.wanted);
  assert.equal(source.worker, 2);
  store.workers = [{ index: 0, host: "h" }];
  source.choose(0);
  assert.equal(source.worker, null); // the only process: its log is the run's
});

test("a refusal is said once, and what passes is asked for again", async () => {
  for (const [status, times] of [[404, 1], [500, 3]]) {
    const { source, errors, state } = opened({ api: { get: async () => Promise.reject(new ApiError("no", status)) } });
    source.choose(0);
    await settled();
    for (const now of [2_000, 4_000]) {
      state.now = now;
      source.look();
      await settled();
    }
    assert.deepEqual([errors.length, source.shown.isLoading], [times, false]);
  }
});

test("the oldest lines leave", async () => {
  const { source, lines, state } = opened();
  lines[0] = Array.from({ length: MAX_LINES }, (_, number) => `${number}`);
  source.choose(0);
  await settled();
  lines[0].push("newest");
  state.now = 2_000;
  source.look();
  await settled();
  assert.deepEqual([source.shown.lines.length, source.shown.from, source.shown.lines[0]], [MAX_LINES, 1, "1"]);
});
