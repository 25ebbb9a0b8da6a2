import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_MS } from "../../clips/levels.js";
import { LONGEST_PIECE_MS, piecesOf } from "../../clips/pieces.js";

/** Loud, but for pauses of 300 ms. @param {number} lengthMs @param {number[]} pausesMs where they begin */
function levels(lengthMs, pausesMs) {
  const quiet = (/** @type {number} */ ms) => pausesMs.some((pause) => ms >= pause && ms < pause + 300);
  return Float32Array.from({ length: lengthMs / FRAME_MS }, (_, frame) => (quiet(frame * FRAME_MS) ? -80 : -20));
}

test("a clip that a model hears at once is one piece", () => {
  assert.deepEqual(piecesOf(levels(LONGEST_PIECE_MS, [9_000]), LONGEST_PIECE_MS), [{ startMs: 0, endMs: LONGEST_PIECE_MS }]);
});

test("a long clip is cut in its pauses, and nothing of it is lost", () => {
  const pieces = piecesOf(levels(70_000, [12_000, 26_000, 51_000]), 70_000);
  assert.equal(pieces.length, 3);
  assert.ok(pieces[0].endMs > 26_000 && pieces[0].endMs < 26_300, `${pieces[0].endMs}`);
  assert.ok(pieces[1].endMs > 51_000 && pieces[1].endMs < 51_300, `${pieces[1].endMs}`);
  assert.equal(pieces[0].startMs, 0);
  assert.equal(pieces.at(-1)?.endMs, 70_000);
  pieces.slice(1).forEach(({ startMs }, index) => assert.equal(startMs, pieces[index].endMs));
});

test("without a pause too, no piece is longer than a model hears or shorter than it can", () => {
  for (const lengthMs of [29_910, 30_000, 59_900, 60_500, 600_000]) {
    for (const { startMs, endMs } of piecesOf(levels(lengthMs, []), lengthMs)) {
      assert.ok(endMs - startMs <= LONGEST_PIECE_MS && endMs - startMs >= 900, `${lengthMs}: ${startMs} to ${endMs}`);
    }
  }
});
