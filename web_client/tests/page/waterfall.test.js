import assert from "node:assert/strict";
import { test } from "node:test";

import { seconds, stageBars, waterfall } from "../../page/waterfall.js";

test("a waterfall's bars follow one another, and leave out what did not happen", () => {
  const turn = { response_id: "r", decision_ms: 500, first_token_ms: 700, first_audio_ms: null, first_heard_ms: 950 };
  const { totalMs, bars } = waterfall(turn);
  assert.equal(totalMs, 950);
  assert.deepEqual(bars.map(({ startMs, endMs }) => [startMs, endMs]), [[0, 500], [500, 700], [700, 950]]);
  assert.deepEqual(waterfall({ ...turn, first_token_ms: 400 }).bars[1], { label: "First token", startMs: 400, endMs: 400 });
  assert.equal(seconds(950), "0.95 s");
  assert.deepEqual(stageBars({ ...turn, stages: { prefill: 1, decode: 2 } }).map(({ label, endMs }) => [label, endMs]), [["prefill", 1], ["decode", 2]]);
});
