import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf, readAddress } from "../../static/js/run/address.js";

test("tab and window go into the address and come back", () => {
  const said = { tab: "failures", worker: null, window: { from: 1_763_700_000, to: 1_763_700_050 } };
  assert.deepEqual(readAddress(hashOf(said)), said);
  assert.equal(hashOf({ tab: "", window: null }), "");
  assert.deepEqual(readAddress("#endpoints"), { tab: "endpoints", worker: null, window: null });
  assert.deepEqual(readAddress("#from=10&to=20"), { tab: "", worker: null, window: { from: 10, to: 20 } });
});

test("a worker is of the log, and of no other tab", () => {
  const said = { tab: "log", worker: 0, window: { from: 10, to: 20 } };
  assert.equal(hashOf(said), "#log&worker=0&from=10&to=20");
  assert.deepEqual(readAddress(hashOf(said)), said);
  assert.equal(hashOf({ ...said, tab: "events" }), "#events&from=10&to=20");
  for (const worker of ["", "-1", "x", "1.5", "123456"]) assert.equal(readAddress(`#log&worker=${worker}`).worker, null);
});

test("moments may be written out", () => {
  assert.deepEqual(readAddress("#log&from=2026-01-31T12:00:00Z&to=2026-01-31T12:00:10Z").window, { from: 1_769_860_800, to: 1_769_860_810 });
});

test("nonsense is no window", () => {
  for (const hash of ["#from=20&to=10", "#from=10", "#from=a&to=b", "#from=NaN&to=Infinity", "#from=10&to=10", "#&&=&from=&to="]) {
    assert.equal(readAddress(hash).window, null, hash);
  }
});
