import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { CallLiveness, DOUBTFUL_MS, SILENT_MS } from "../../connection/call_liveness.js";

const EVERY_MS = 250;
let call = new CallLiveness();

beforeEach(() => {
  call = new CallLiveness();
});

/** Look again and again. @param {number} fromMs @param {number} untilMs @param {(nowMs: number) => number} lastPacket */
function looks(fromMs, untilMs, lastPacket) {
  const seen = [];
  for (let now = fromMs; now <= untilMs; now += EVERY_MS) seen.push(call.look(lastPacket(now), now));
  return seen;
}

const everyFourHundred = (/** @type {number} */ nowMs) => 1 + Math.floor(nowMs / 400);

test("a server that is silent is alive", () => {
  assert.deepEqual(new Set(looks(0, 60_000, everyFourHundred)), new Set(["alive"]));
});

test("a server whose packets end is dead after seconds, and doubtful before", () => {
  looks(0, 5_000, everyFourHundred);
  const at = 5_000;
  assert.equal(call.look(everyFourHundred(at), at + DOUBTFUL_MS), "doubtful");
  const seen = looks(at + DOUBTFUL_MS + EVERY_MS, at + SILENT_MS + EVERY_MS, () => everyFourHundred(at));
  assert.equal(seen.at(-1), "dead");
});

test("a word over the data channel is a sign of life", () => {
  looks(0, 1_000, everyFourHundred);
  for (let now = 1_250; now < 20_000; now += EVERY_MS) {
    if (now % 2_000 === 0) call.sign(now);
    assert.notEqual(call.look(everyFourHundred(1_000), now), "dead");
  }
});

test("a browser that plays nothing but receives goes on", () => {
  looks(0, 1_000, everyFourHundred);
  for (let now = 1_250; now < 20_000; now += EVERY_MS) {
    const seen = call.look(everyFourHundred(1_000), now);
    assert.notEqual(seen, "dead");
    if (seen === "doubtful") call.received(everyFourHundred(now), now);
  }
});

test("one whose count stands still does not", () => {
  looks(0, 1_000, everyFourHundred);
  const seen = [];
  for (let now = 1_250; now < 5_000; now += EVERY_MS) {
    seen.push(call.look(everyFourHundred(1_000), now));
    call.received(17, now);
  }
  assert.equal(seen.at(-1), "dead");
});

test("a page that stood still for a minute has missed nothing", () => {
  looks(0, 1_000, everyFourHundred);
  assert.notEqual(call.look(everyFourHundred(1_000), 61_000), "dead");
  assert.equal(call.look(everyFourHundred(61_250), 61_250), "alive");
});

test("before the first sound there is nothing to miss", () => {
  call.sign(0);
  assert.deepEqual(new Set(looks(0, 60_000, () => 0)), new Set(["alive"]));
});
