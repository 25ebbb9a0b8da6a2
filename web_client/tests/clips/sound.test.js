import assert from "node:assert/strict";
import { test } from "node:test";
import { REMEMBERED_MS, clock, duration, memoryNote, notesOn } from "../../clips/sound.js";

test("lengths read as people write them", () => {
  assert.deepEqual([350, 7_400, 59_000, 60_000, 330_000].map(duration), ["0.3 s", "7.4 s", "59 s", "1 min", "5 min 30 s"]);
  assert.deepEqual([0, 7_900, 754_000].map(clock), ["0:00", "0:07", "12:34"]);
});

test("who brings a clip is told what was found in it, and how it was cut", () => {
  const short = { sound: { sounds: [{ startMs: 1_000, endMs: 3_500 }] }, pieces: [{ startMs: 0, endMs: 9_000 }] };
  assert.deepEqual(notesOn(short), ["Shaded: 2.5 s louder than its background, a voice or any other sound."]);
  const long = { sound: { sounds: [] }, pieces: [1, 2, 3].map(() => ({ startMs: 0, endMs: 1 })) };
  assert.equal(notesOn(long)[0], "Nothing in it is louder than its background.");
  assert.match(notesOn(long)[1], /cut at pauses into 3 pieces/);
});

test("who asks about more sound than a conversation holds is told so", () => {
  assert.equal(memoryNote([{ lengthMs: REMEMBERED_MS }]), "");
  assert.match(memoryNote([{ lengthMs: REMEMBERED_MS }, { lengthMs: 30_000 }]), /6 min\..*5 min 30 s of sound/);
});
