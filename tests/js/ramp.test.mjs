import assert from "node:assert/strict";
import { test } from "node:test";
import { fromOklch, ramp, share } from "../../static/js/run/ramp.js";

/** Relative luminance by WCAG: what is left of a colour for those who see no hue. */
function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => (value <= 10.31 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

test("more is always darker on a light ground and brighter on a dark one", () => {
  for (const isDark of [false, true]) {
    const steps = ramp(isDark).map(luminance);
    const sign = isDark ? 1 : -1;
    for (let place = 1; place < steps.length; place += 1) assert.ok(sign * (steps[place] - steps[place - 1]) > 0, `${isDark} ${place}`);
  }
});

test("a single request is seen on its ground", () => {
  const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  assert.ok(contrast(luminance(ramp(false)[0]), 1) > 1.2);
  assert.ok(contrast(luminance(ramp(true)[0]), luminance([26, 32, 38])) > 1.2);
});

test("colours come out as others compute them", () => {
  assert.deepEqual(fromOklch(1, 0, 0), [255, 255, 255]);
  assert.deepEqual(fromOklch(0, 0, 0), [0, 0, 0]);
  assert.deepEqual(fromOklch(0.62796, 0.25768, 29.234), [255, 0, 0]);
});

test("counts have their place by logarithm", () => {
  assert.equal(share(0, 100), 0);
  assert.equal(share(1, 100), 0);
  assert.ok(Math.abs(share(10, 100) - 0.5) < 1e-9);
  assert.equal(share(100, 100), 1);
  assert.equal(share(1, 1), 1);
});
