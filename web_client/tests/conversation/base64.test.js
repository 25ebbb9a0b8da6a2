import assert from "node:assert/strict";
import { test } from "node:test";

import { decodePcm, encodePcm, sampleCount } from "../../conversation/base64.js";

test("samples survive base64, and agree with another implementation", () => {
  const samples = Int16Array.from({ length: 10_000 }, (_, at) => ((at * 7919) % 65_536) - 32_768);
  const base64 = encodePcm(samples);
  assert.equal(base64, Buffer.from(samples.buffer).toString("base64"));
  assert.deepEqual(decodePcm(base64), samples);
  assert.equal(sampleCount(base64), samples.length);
  for (const length of [0, 1, 2, 3]) assert.equal(sampleCount(encodePcm(new Int16Array(length))), length);
  assert.equal(decodePcm("AAAB").length, 1, "half a sample is none");
});
