import assert from "node:assert/strict";
import { test } from "node:test";
import { stepTo } from "../../static/js/pools/bar.js";
import { idText, tooManySlots } from "../../static/js/pools/hints.js";
import { rowChanges } from "../../static/js/pools/merge.js";
import { moveTo } from "../../static/js/pools/picker.js";

test("arrow keys go through the pieces of a bar and stop at its ends", () => {
  assert.equal(stepTo("ArrowRight", -1, 3), 0);
  assert.equal(stepTo("ArrowRight", 2, 3), 2);
  assert.equal(stepTo("ArrowLeft", 0, 3), 0);
  assert.equal(stepTo("Home", 2, 3), 0);
  assert.equal(stepTo("End", 0, 3), 2);
  assert.equal(stepTo("Tab", 0, 3), null);
  assert.equal(stepTo("ArrowRight", -1, 0), -1);
});

test("arrow keys go through what was found, and back to where one types", () => {
  assert.equal(moveTo("ArrowDown", -1, 2), 0);
  assert.equal(moveTo("ArrowDown", 1, 2), 1);
  assert.equal(moveTo("ArrowUp", 0, 2), -1);
  assert.equal(moveTo("ArrowUp", -1, 2), -1);
  assert.equal(moveTo("ArrowDown", -1, 0), -1);
  assert.equal(moveTo("Enter", 0, 2), null);
});

test("rows that are gone go, and new ones come where they belong", () => {
  assert.deepEqual(rowChanges(["a", "b"], ["a", "b"]), { gone: [], added: [] });
  assert.deepEqual(rowChanges(["a", "c"], ["b", "c", "d"]), {
    gone: ["a"],
    added: [{ key: "b", behind: null }, { key: "d", behind: "c" }],
  });
});

test("an ID is shown as the script gets it", () => {
  assert.equal(idText("test_", "5", "1"), "test_00001");
  assert.equal(idText("", "0", "007"), "7");
  assert.equal(idText("u", "", "12"), "u12");
  assert.equal(idText("u", "5", "1e3"), null);
  assert.equal(idText("u", "5", ""), null);
});

test("more slots than cores are too many", () => {
  assert.equal(tooManySlots("9", "8"), true);
  assert.equal(tooManySlots("8", "8"), false);
  assert.equal(tooManySlots("", "8"), false);
  assert.equal(tooManySlots("x", "8"), false);
});
