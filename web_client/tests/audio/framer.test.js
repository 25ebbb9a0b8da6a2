import assert from "node:assert/strict";
import { test } from "node:test";

import { FRAME_SAMPLES, Framer } from "../../audio/framer.js";

test("microphone sound of any rate becomes frames of 20 ms with their level", () => {
  for (const rate of [16_000, 44_100, 48_000]) {
    const framer = new Framer(rate);
    const frames = [];
    for (let at = 0; at < rate; at += 128) {
      frames.push(...framer.push(Float32Array.from({ length: 128 }, (_, n) => 0.5 * Math.sin((at + n) / 20))));
    }
    assert.ok(Math.abs(frames.length - 50) <= 1, `${frames.length} frames in a second at ${rate}`);
    assert.ok(frames.every(({ pcm }) => pcm.length === FRAME_SAMPLES));
    assert.ok(Math.abs(frames[20].level - 0.3536) < 0.02);
  }
});
