import assert from "node:assert/strict";
import test from "node:test";

import { nameFor } from "../../static/js/names.js";

test("a name that the portal takes stays", () => {
  assert.equal(nameFor("users_2.v1-final.csv"), "users_2.v1-final.csv");
});

test("any other becomes the nearest that it takes", () => {
  assert.equal(nameFor("my orders (1).csv"), "my_orders_1_.csv");
  assert.equal(nameFor("..-hidden.csv"), "hidden.csv");
  assert.equal(nameFor("顧客.csv"), "_.csv");
  assert.equal(nameFor("."), "data.csv");
  assert.equal(nameFor("x".repeat(300)).length, 100);
});
