import assert from "node:assert/strict";
import { test } from "node:test";

import { isSpoken, spokenCharacters, words } from "../../conversation/alignment.js";

test("spoken text lies between the marks, and never beyond the last one", () => {
  const marks = [
    { audioEndMs: 1000, textEnd: 10 },
    { audioEndMs: 2000, textEnd: 30 },
  ];
  const answer = { textLength: 50, audioMs: 4000, audioEnded: false };
  const at = (heardMs) => spokenCharacters(marks, heardMs, answer);
  assert.deepEqual([0, 500, 1000, 1500, 2000, 3999].map(at), [0, 5, 10, 20, 30, 30]);
  assert.equal(spokenCharacters(marks, 4000, { ...answer, audioEnded: true }), 50);
});

test("without marks spoken text is estimated, and within the text", () => {
  const answer = { textLength: 100, audioMs: 10_000, audioEnded: true };
  assert.equal(spokenCharacters([], 5000, answer), 50);
  assert.equal(spokenCharacters([], 2000, { ...answer, audioEnded: false }), 30);
  assert.equal(spokenCharacters([], 60_000, { ...answer, audioEnded: false }), 100);
});

test("words cover the whole text, and count as spoken from their middle on", () => {
  const text = "Good evening,  you.";
  const found = words(text);
  assert.deepEqual(found.map(({ start, end }) => text.slice(start, end)), ["Good", " evening,", "  you."]);
  assert.equal(isSpoken(found[0], 1), false);
  assert.equal(isSpoken(found[0], 2), true);
});
