import assert from "node:assert/strict";
import { test } from "node:test";

import { readinessOf } from "../../connection/readiness.js";

test("what is away is said in a sentence", () => {
  const away = (/** @type {unknown} */ detail) => readinessOf({ ready: false, full: false, detail }).away;
  assert.equal(away("the chat server at http://127.0.0.1:8000/v1 does not answer"), "The chat server at http://127.0.0.1:8000/v1 does not answer.");
  assert.equal(away("Start it with: make run."), "Start it with: make run.");
  assert.equal(away(""), "");
  assert.equal(away(7), "");
});

test("a server that is ready, full, or says nothing has nothing away", () => {
  assert.deepEqual(readinessOf({ ready: true, full: false, detail: "ready" }), { isFull: false, away: null });
  assert.deepEqual(readinessOf({ ready: false, full: true, detail: "ready" }), { isFull: true, away: null });
  assert.deepEqual(readinessOf({}), { isFull: false, away: null });
});
