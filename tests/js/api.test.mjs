import assert from "node:assert/strict";
import { test } from "node:test";
import { Api, ApiError } from "../../static/js/run/api.js";

const answer = (status, body = {}) => ({ ok: status < 400, status, statusText: "x", json: async () => body });

/** An API whose network gives these answers one after the other; what is thrown is an error of the network. */
function api(t, ...answers) {
  const asked = [];
  t.mock.timers.enable({ apis: ["setTimeout"] });
  globalThis.location = { href: "https://portal.example/runs/1/" };
  globalThis.document = { querySelector: () => ({ value: "token" }), cookie: "" };
  globalThis.fetch = async (url, options) => {
    asked.push([options.method ?? "GET", String(url)]);
    const next = answers.shift();
    if (next instanceof Error) throw next;
    return next;
  };
  return { api: new Api("/api/v1/runs/1/"), asked };
}

/** Lets everything happen that happens by itself in so many seconds. */
async function pass(t, seconds) {
  for (let second = 0; second <= seconds; second += 1) {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    t.mock.timers.tick(1_000);
  }
}

test("a question that does not get through is asked again", async (t) => {
  const { api: line, asked } = api(t, new TypeError("network"), answer(503), answer(200, { rows: 3 }));
  const found = line.get("heatmap/", { rows: 48 });
  await pass(t, 5);
  assert.deepEqual(await found, { rows: 3 });
  assert.equal(asked.length, 3);
  assert.deepEqual(asked[2], ["GET", "https://portal.example/api/v1/runs/1/heatmap/?rows=48"]);
});

test("what is refused is not asked again, and not for ever what fails", async (t) => {
  const refused = api(t, answer(404, { message: "Gone." }));
  await assert.rejects(refused.api.get(), (error) => error instanceof ApiError && error.message === "Gone.");
  assert.equal(refused.asked.length, 1);
  t.mock.timers.reset();
  const failing = api(t, new TypeError("1"), new TypeError("2"), new TypeError("3"));
  const found = assert.rejects(failing.api.get(), /3/);
  await pass(t, 5);
  await found;
});

test("an act is never repeated", async (t) => {
  const { api: line, asked } = api(t, new TypeError("network"));
  await assert.rejects(line.post("stop/"), /network/);
  assert.deepEqual(asked, [["POST", "https://portal.example/api/v1/runs/1/stop/"]]);
});
