import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const SOURCE = readFileSync(new URL("../../static/js/line.js", import.meta.url), "utf8");

/** The page's head as far as the script looks at it. */
function head({ href = "https://portal.example/runs/1/", isRefused = false } = {}) {
  const opened = [];
  class WebSocket {
    static OPEN = 1;

    constructor(address) {
      if (isRefused && opened.length === 0) {
        opened.push(null);
        throw new Error("refused");
      }
      this.address = String(address);
      this.readyState = 0;
      this.close = () => (this.readyState = 3);
      opened.push(this);
    }
  }
  class HTMLScriptElement {}
  const window = {};
  const page = { phase: "loading", isBandHidden: true };
  const document = {
    currentScript: { dataset: { socket: "/ws/runs/1/" } },
    getElementById: () => ({ setAttribute: (_name, value) => (page.phase = value) }),
    querySelector: () => ({ removeAttribute: () => (page.isBandHidden = false) }),
  };
  const listeners = [];
  const addEventListener = (name, listener, isCaptured) => listeners.push({ name, listener, isCaptured });
  vm.runInNewContext(SOURCE, { window, document, location: { href }, WebSocket, URL, queueMicrotask, HTMLScriptElement, addEventListener });
  const [{ name, listener, isCaptured }] = listeners;
  assert.deepEqual([name, isCaptured], ["error", true]);
  return { opened, page, fail: listener, script: new HTMLScriptElement(), line: window.hatcheryLine };
}

test("it opens the line at once, to the page's own host", () => {
  const { opened, line } = head();
  assert.equal(line.address, "wss://portal.example/ws/runs/1/");
  assert.deepEqual(opened.map((one) => one.address), ["wss://portal.example/ws/runs/1/"]);
  assert.equal(head({ href: "http://localhost:8000/runs/1/#tab=log" }).line.address, "ws://localhost:8000/ws/runs/1/");
});

test("who takes it over hears all, in order, and once", async () => {
  const { opened, line } = head();
  opened[0].readyState = 1;
  opened[0].onmessage({ data: "snapshot" });
  opened[0].onmessage({ data: "tick 1" });
  const heard = [];
  const socket = line.connect();
  socket.onmessage = (event) => heard.push(event.data);
  await Promise.resolve();
  socket.onmessage({ data: "tick 2" });
  assert.equal(socket, opened[0]);
  assert.deepEqual(heard, ["snapshot", "tick 1", "tick 2"]);
});

test("one that is not open yet is taken over as well", () => {
  const { opened, line } = head();
  assert.equal(line.connect(), opened[0]);
});

test("every other time there is a new line", () => {
  const { opened, line } = head();
  line.connect();
  assert.equal(line.connect(), opened[1]);
  assert.equal(line.connect(), opened[2]);
});

test("a line that was closed meanwhile, or could not be opened, is opened anew", () => {
  const closed = head();
  closed.opened[0].readyState = 3;
  assert.equal(closed.line.connect(), closed.opened[1]);
  const refused = head({ isRefused: true });
  assert.equal(refused.line.connect(), refused.opened[1]);
});

test("a module that does not come is said, and the line closed", () => {
  const { opened, page, fail, script } = head();
  fail({ target: {} }); // a picture, or an error of a script that runs
  assert.deepEqual([page.phase, page.isBandHidden, opened[0].readyState], ["loading", true, 0]);
  fail({ target: script });
  assert.deepEqual([page.phase, page.isBandHidden, opened[0].readyState], ["broken", false, 3]);
});
