import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSED_FORBIDDEN, Live, SILENCE_MS } from "../../static/js/run/socket.js";

/** A line whose sockets, clock and timers are in the test's hands. */
function line() {
  const world = { sockets: [], heard: [], statuses: [], timers: [], time: 0, isActive: true };
  world.live = new Live({
    url: "ws://portal/ws/runs/1/",
    isActive: () => world.isActive,
    onMessage: (message) => world.heard.push(message),
    onStatus: (status) => world.statuses.push(status),
    now: () => world.time,
    later: (run, ms) => world.timers.push({ run, ms }),
    connect: () => {
      const socket = { readyState: 1, sent: [], send: (text) => socket.sent.push(JSON.parse(text)), close: () => socket.onclose({ code: 1006 }) };
      world.sockets.push(socket);
      return socket;
    },
  });
  world.live.start();
  world.timers = []; // the every-second look; called by hand here
  world.say = (message) => world.sockets.at(-1).onmessage({ data: JSON.stringify(message) });
  world.drop = (code = 1006) => world.sockets.at(-1).onclose({ code });
  world.wait = () => world.timers.pop().run();
  return world;
}

const seqs = (world) => world.heard.map((message) => message.seq);

test("ticks follow the snapshot", () => {
  const world = line();
  world.say({ type: "snapshot", seq: 5 });
  world.say({ type: "tick", seq: 6 });
  world.say({ type: "tick", seq: 6 });
  world.say({ type: "tick", seq: 7 });
  assert.deepEqual(seqs(world), [5, 6, 7]);
  assert.deepEqual(world.statuses, ["connecting", "live"]);
});

test("a gap asks for a snapshot and holds ticks back until it comes", () => {
  const world = line();
  world.say({ type: "snapshot", seq: 5 });
  world.say({ type: "tick", seq: 7 });
  world.say({ type: "tick", seq: 8 });
  assert.deepEqual(world.sockets[0].sent, [{ type: "resync" }]);
  world.say({ type: "snapshot", seq: 8 });
  world.say({ type: "tick", seq: 9 });
  assert.deepEqual(seqs(world), [5, 8, 9]);
});

test("silence asks once, then gives the socket up", () => {
  const world = line();
  world.say({ type: "snapshot", seq: 1 });
  world.time = SILENCE_MS;
  world.live.check();
  world.live.check();
  assert.equal(world.sockets[0].sent.length, 1);
  world.time = 2 * SILENCE_MS;
  world.live.check();
  assert.equal(world.statuses.at(-1), "lost");
});

test("silence of a run that is over is no alarm", () => {
  const world = line();
  world.say({ type: "snapshot", seq: 1 });
  world.isActive = false;
  world.time = 10 * SILENCE_MS;
  world.live.check();
  assert.equal(world.sockets[0].sent.length, 0);
});

test("a line that never said anything is given up like one that fell silent, and then not tried alone", () => {
  const world = line();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    world.time += SILENCE_MS;
    world.live.check();
    assert.deepEqual(world.sockets.at(-1).sent, [{ type: "resync" }]);
    world.time += SILENCE_MS;
    world.live.check();
    if (attempt < 2) world.wait();
  }
  assert.deepEqual(world.statuses, ["connecting", "lost", "lost", "lost", "lost", "blocked"]);
});

test("a line that does not get through is given up", () => {
  const world = line();
  world.sockets[0].readyState = 0;
  world.time = SILENCE_MS;
  world.live.check();
  assert.equal(world.live.socket, world.sockets[0]);
  world.time = 2 * SILENCE_MS;
  world.live.check();
  assert.deepEqual([world.live.socket, world.sockets[0].sent, world.statuses.at(-1)], [null, [], "lost"]);
});

test("a lost socket comes back with a snapshot", () => {
  const world = line();
  world.say({ type: "snapshot", seq: 1 });
  world.drop();
  world.wait();
  world.say({ type: "tick", seq: 9 });
  world.say({ type: "snapshot", seq: 9 });
  assert.deepEqual(seqs(world), [1, 9]);
  assert.equal(world.statuses.at(-1), "live");
});

test("three failed attempts say blocked, and it is still tried", () => {
  const world = line();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    world.drop();
    if (attempt < 2) world.wait();
  }
  assert.equal(world.statuses.at(-1), "blocked");
  world.wait();
  world.say({ type: "snapshot", seq: 3 });
  assert.equal(world.statuses.at(-1), "live");
});

test("who may no longer see it is not let in again", () => {
  const world = line();
  world.say({ type: "snapshot", seq: 1 });
  world.drop(CLOSED_FORBIDDEN);
  assert.equal(world.statuses.at(-1), "forbidden");
  assert.equal(world.timers.length, 0);
});
