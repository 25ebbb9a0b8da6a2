import assert from "node:assert/strict";
import { test } from "node:test";

import { LinkFigures } from "../../connection/link_figures.js";

const inbound = (/** @type {object} */ fields) => ({ type: "inbound-rtp", kind: "audio", packetsReceived: 95, packetsLost: 5, jitter: 0.012, ...fields });

test("round trip, jitter and loss both ways come from the reports that know them", () => {
  const figures = new LinkFigures().take(
    [
      { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 },
      { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.04 },
      { type: "outbound-rtp", kind: "audio", packetsSent: 200 },
      { type: "remote-inbound-rtp", kind: "audio", packetsLost: 2 },
      inbound({}),
    ],
    false,
  );
  assert.equal(figures.roundTripMs, 40);
  assert.equal(figures.jitterMs, 12);
  assert.equal(figures.lostShare, 0.05);
  assert.equal(figures.lostShareOut, 0.01);
});

test("what is not known yet is no number", () => {
  const { roundTripMs, jitterMs, lostShare, lostShareOut, bufferMs, underruns } = new LinkFigures().take([], false);
  assert.deepEqual([roundTripMs, jitterMs, lostShare, lostShareOut, bufferMs], [NaN, NaN, NaN, NaN, NaN]);
  assert.equal(underruns, 0);
});

test("the depth of the buffer is that of what was played since the last look", () => {
  const figures = new LinkFigures();
  const take = (/** @type {number} */ delayS, /** @type {number} */ emitted) =>
    figures.take([inbound({ jitterBufferDelay: delayS, jitterBufferEmittedCount: emitted })], false).bufferMs;
  assert.equal(take(480, 4_800), 100);
  assert.equal(Math.round(take(480 + 192, 9_600)), 40);
  assert.equal(Math.round(take(480 + 192, 9_600)), 40, "nothing was played: as it was");
});

test("only what ran out while an answer was heard is an underrun", () => {
  const figures = new LinkFigures();
  const take = (/** @type {number} */ concealmentEvents, /** @type {boolean} */ sounds) => figures.take([inbound({ concealmentEvents })], sounds).underruns;
  assert.equal(take(7, false), 0);
  assert.equal(take(9, true), 0, "before the answer");
  assert.equal(take(10, true), 1);
  assert.equal(take(12, false), 3, "to its end");
  assert.equal(take(40, true), 3, "between answers hardly anything is sent");
  assert.equal(take(41, true), 4);
});
