import assert from "node:assert/strict";
import { test } from "node:test";
import { listen } from "../../static/js/run/keys.js";

/** A chart and its group of 100 seconds from 1,000 on, as somebody with a keyboard finds them. */
function opened(more = {}) {
  const said = [];
  const chart = { plot: new EventTarget(), uplot: { setCursor: (at) => said.push(["left", at.left]) }, pointAt: (place) => (group.place = place) };
  const group = {
    t: Array.from({ length: 100 }, (_, place) => 1_000 + place), place: null, window: null, firstT: 1_000, lastT: 1_099,
    range: () => (group.window ? [group.window.from - 0.5, group.window.to + 0.5] : [999.5, 1_099.5]),
    zoomTo: (from, to) => said.push(["zoom", from, to]),
    leaveWindow: () => said.push(["leave"]),
    keyMoved: (place) => said.push(["at", place]),
    ...more,
  };
  listen(chart, group);
  const press = (key, keys = {}) => {
    const event = Object.assign(new Event("keydown", { cancelable: true }), { key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...keys });
    chart.plot.dispatchEvent(event);
    return event.defaultPrevented;
  };
  return { chart, group, said, press };
}

test("arrows move the cursor from the newest on, with Shift in strides, and stop at the ends", () => {
  const { said, press } = opened();
  for (const key of ["ArrowLeft", "ArrowLeft", "Home", "ArrowLeft", "End"]) assert.ok(press(key));
  assert.ok(press("ArrowLeft", { shiftKey: true }));
  assert.deepEqual(said.map(([, place]) => place), [98, 97, 0, 0, 99, 89]);
});

test("in a window the cursor stays within it", () => {
  const { said, press } = opened({ window: { from: 1_010, to: 1_020 } });
  for (const key of ["Home", "ArrowLeft", "End", "ArrowRight"]) press(key);
  assert.deepEqual(said.map(([, place]) => place), [10, 10, 20, 20]);
});

test("plus and minus zoom around the cursor, and out of all of it is out of the window", () => {
  const { said, press } = opened({ place: 50 });
  press("+");
  assert.deepEqual(said.pop(), ["zoom", 1_025, 1_075]);
  press("-");
  assert.deepEqual(said.pop(), ["leave"]);
});

test("square brackets set the ends of a window where the cursor stands", () => {
  const { said, press } = opened({ place: 30 });
  press("[");
  press("]");
  assert.deepEqual(said, [["zoom", 1_030, 1_099], ["zoom", 1_000, 1_030]]);
});

test("other keys, keys with others held, and charts without anything are left alone", () => {
  const { said, press } = opened();
  assert.equal(press("n"), false);
  assert.equal(press("ArrowLeft", { ctrlKey: true }), false);
  const empty = opened({ t: [] });
  assert.equal(empty.press("ArrowLeft"), false);
  assert.deepEqual([...said, ...empty.said], []);
});

test("whoever leaves a chart takes the cursor away", () => {
  const { chart, said } = opened();
  chart.plot.dispatchEvent(new Event("blur"));
  assert.deepEqual(said, [["left", -10]]);
});
