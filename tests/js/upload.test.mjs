import assert from "node:assert/strict";
import test from "node:test";

import { textOf } from "../../static/js/upload.js";

test("a file is read with the line ends of a script and without a byte order mark", async () => {
  assert.deepEqual(await textOf(new Blob(["\ufeffa\r\nb\rç\n"]), 100), { text: "a\nb\nç\n" });
});

test("a file at the limit is taken, one above it is refused unread", async () => {
  assert.deepEqual(await textOf(new Blob(["1234"]), 4), { text: "1234" });
  const large = { size: 5, arrayBuffer: () => assert.fail("it was read") };
  assert.deepEqual(await textOf(large, 4), { refused: "tooLarge" });
});

test("what is not UTF-8, or gone, is refused", async () => {
  assert.deepEqual(await textOf(new Blob([new Uint8Array([0xff, 0xfe, 0])]), 100), { refused: "notUtf8" });
  assert.deepEqual(await textOf({ size: 1, arrayBuffer: () => Promise.reject(new Error("gone")) }, 100), { refused: "unreadable" });
});
