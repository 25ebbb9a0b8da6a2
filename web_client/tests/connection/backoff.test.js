import assert from "node:assert/strict";
import { test } from "node:test";

import { LONGEST_DELAY_MS, delayMs } from "../../connection/backoff.js";

test("the back-off doubles, has a ceiling, and half of it is chance", () => {
  assert.deepEqual([0, 1, 2].map((attempt) => delayMs(attempt, 0)), [250, 500, 1000]);
  assert.deepEqual([0, 1, 2].map((attempt) => delayMs(attempt, 1)), [500, 1000, 2000]);
  assert.equal(delayMs(1000, 1), LONGEST_DELAY_MS);
  assert.notEqual(delayMs(3, 0.1), delayMs(3, 0.9));
});
