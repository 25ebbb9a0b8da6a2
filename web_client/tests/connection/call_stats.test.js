import assert from "node:assert/strict";
import { test } from "node:test";

import { CallStatsReader, packetsReceived } from "../../connection/call_stats.js";

const inbound = (/** @type {object} */ fields) => ({ type: "inbound-rtp", kind: "audio", packetsReceived: 95, packetsLost: 5, jitter: 0.012, ...fields });

test("round trip, jitter and loss both ways come from the reports that know them", () => {
  const stats = new CallStatsReader().read(
    [
      { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 },
      { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.04 },
      { type: "outbound-rtp", kind: "audio", packetsSent: 200 },
      { type: "remote-inbound-rtp", kind: "audio", packetsLost: 2 },
      inbound({}),
    ],
    false,
  );
  assert.equal(stats.roundTripMs, 40);
  assert.equal(stats.jitterMs, 12);
  assert.equal(stats.lostShare, 0.05);
  assert.equal(stats.lostShareOut, 0.01);
});

test("the packets of sound that came are counted, and no others", () => {
  assert.equal(packetsReceived([inbound({}), { type: "inbound-rtp", kind: "video", packetsReceived: 9 }, { type: "outbound-rtp", kind: "audio", packetsSent: 9 }]), 95);
  assert.equal(packetsReceived([]), 0);
});

test("what is not known yet is no number", () => {
  const { roundTripMs, jitterMs, lostShare, lostShareOut, bufferMs, underruns } = new CallStatsReader().read([], false);
  assert.deepEqual([roundTripMs, jitterMs, lostShare, lostShareOut, bufferMs], [NaN, NaN, NaN, NaN, NaN]);
  assert.equal(underruns, 0);
});

test("the depth of the buffer is that of what was played since the last look", () => {
  const stats = new CallStatsReader();
  const read = (/** @type {number} */ delayS, /** @type {number} */ emitted) =>
    stats.read([inbound({ jitterBufferDelay: delayS, jitterBufferEmittedCount: emitted })], false).bufferMs;
  assert.equal(read(480, 4_800), 100);
  assert.equal(Math.round(read(480 + 192, 9_600)), 40);
  assert.equal(Math.round(read(480 + 192, 9_600)), 40, "nothing was played: as it was");
});

test("only what ran out while an answer was heard is an underrun", () => {
  const stats = new CallStatsReader();
  const read = (/** @type {number} */ concealmentEvents, /** @type {boolean} */ sounds) => stats.read([inbound({ concealmentEvents })], sounds).underruns;
  assert.equal(read(7, false), 0);
  assert.equal(read(9, true), 0, "before the answer");
  assert.equal(read(10, true), 1);
  assert.equal(read(12, false), 3, "to its end");
  assert.equal(read(40, true), 3, "between answers hardly anything is sent");
  assert.equal(read(41, true), 4);
});
