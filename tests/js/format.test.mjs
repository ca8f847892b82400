import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, count, duration, ms, oneLine, perSecond, percentage, plain, share, utc, waited } from "../../static/js/run/format.js";

const spaced = (text) => text.replaceAll("\u202f", " ");

test("times are milliseconds below ten seconds, then seconds", () => {
  assert.equal(spaced(ms(0)), "0 ms");
  assert.equal(spaced(ms(88.04)), "88 ms");
  assert.equal(spaced(ms(12_345)), "12.3 s");
  assert.equal(ms(null), "–");
});

test("a share never rounds one failure or one success away", () => {
  assert.equal(spaced(share(4, 1000)), "0.4 %");
  assert.equal(spaced(share(0, 1000)), "0 %");
  assert.equal(spaced(share(1, 1_000_000)), "< 0.01 %");
  assert.equal(spaced(share(999_999, 1_000_000)), "> 99.9 %");
  assert.equal(spaced(share(7, 7)), "100 %");
  assert.equal(share(0, 0), "–");
});

test("counts, rates, sizes and clocks", () => {
  assert.equal(count(1_284_551), "1,284,551");
  assert.equal(perSecond(182.44), "182/s");
  assert.equal(spaced(percentage(38.2)), "38.2 %");
  assert.equal(spaced(bytes(1_234_567)), "1.23 MB");
  assert.equal(duration(192), "03:12");
  assert.equal(duration(3725.9), "1:02:05");
});

test("a moment in UTC from epoch seconds or ISO, a dash for none", () => {
  assert.equal(utc(0), "1970-01-01 00:00:00 UTC");
  assert.equal(utc("2026-01-31T12:03:11Z"), "2026-01-31 12:03:11 UTC");
  assert.equal(utc(null), "–");
  assert.equal(utc("nonsense"), "–");
});

test("names become one line and keep whole characters", () => {
  assert.equal(oneLine(" two\nlines\t and  more "), "two lines and more");
  assert.equal(oneLine("🛒".repeat(10), 4), "🛒🛒🛒…");
  assert.equal(oneLine(undefined), "");
});

test("log lines lose terminal codes", () => {
  assert.equal(plain("\u001b[31mred\u001b[0m <b>"), "red <b>");
});

test("a wait is counted in seconds as soon as there are some", () => {
  assert.deepEqual([waited(148), waited(6_940), waited(null)], ["148\u202fms", "6.9\u202fs", "–"]);
});
