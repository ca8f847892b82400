import assert from "node:assert/strict";
import { test } from "node:test";
import { COLORS, DASHES, Palette, hash } from "../../static/js/run/colors.js";

test("a name keeps its look for good", () => {
  const palette = new Palette();
  const first = palette.lookOf("GET /");
  palette.lookOf("GET /other");
  assert.deepEqual(palette.lookOf("GET /"), first);
});

test("the same name alone looks the same in every run", () => {
  assert.deepEqual(new Palette().lookOf("GET /api"), new Palette().lookOf("GET /api"));
  assert.equal(new Palette().lookOf("GET /api").color, hash("GET /api") % COLORS);
});

test("no two of the first lines look alike, and dashes begin when colours are used up", () => {
  const palette = new Palette();
  const many = COLORS * DASHES.length;
  const looks = Array.from({ length: many }, (_, place) => palette.lookOf(`GET /${place}`));
  assert.equal(new Set(looks.map(({ color, dash }) => `${color}/${dash}`)).size, many);
  assert.ok(looks.slice(0, COLORS).every(({ dash }) => dash === 0));
  assert.ok(looks.slice(COLORS, 2 * COLORS).every(({ dash }) => dash === 1));
});

test("a thousand names do not hang", () => {
  const palette = new Palette();
  for (let place = 0; place < 1000; place += 1) palette.lookOf(`name ${place}`);
  assert.ok(palette.lookOf("one more").dash < DASHES.length);
});
