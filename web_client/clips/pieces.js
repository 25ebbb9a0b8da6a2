// @ts-check
/**
 * Where a long clip is cut: models hear about 30 s at once (README.md, "Qwen2-Audio"), and one piece of audio is one part of
 * an item. A cut lies in the quietest place near the end of a piece, as the agent itself would cut (agent/asr/windows.py).
 */

import { FRAME_MS } from "./levels.js";

/** @typedef {import("./levels.js").Stretch} Stretch */

export const LONGEST_PIECE_MS = 29_900; // a little is left for the server's change of rate, which may add a sample
const LEAST_PIECE_MS = 1_000;
const SEARCH_MS = 8_000;
const QUIET_FRAMES = 10;

/** The pieces of a clip, in order, without gaps. @param {Float32Array} levels of its frames @param {number} lengthMs @returns {Stretch[]} */
export function piecesOf(levels, lengthMs) {
  /** @type {Stretch[]} */
  const pieces = [];
  let startMs = 0;
  while (lengthMs - startMs > LONGEST_PIECE_MS) {
    const latestMs = Math.min(startMs + LONGEST_PIECE_MS, lengthMs - LEAST_PIECE_MS);
    const endMs = quietestMs(levels, startMs + LONGEST_PIECE_MS - SEARCH_MS, latestMs);
    pieces.push({ startMs, endMs });
    startMs = endMs;
  }
  return [...pieces, { startMs, endMs: lengthMs }];
}

/** The middle of the quietest tenth of a second; the last of equals, so that pieces stay long. @param {Float32Array} levels @param {number} fromMs @param {number} toMs */
function quietestMs(levels, fromMs, toMs) {
  const [from, to] = [Math.floor(fromMs / FRAME_MS), Math.floor(toMs / FRAME_MS)];
  const powers = Array.from(levels.subarray(from, to), (level) => 10 ** (level / 10));
  let [least, best] = [Infinity, powers.length - QUIET_FRAMES];
  for (let frame = 0; frame + QUIET_FRAMES <= powers.length; frame += 1) {
    let power = 0;
    for (let at = frame; at < frame + QUIET_FRAMES; at += 1) power += powers[at];
    if (power <= least * 1.0001) [least, best] = [power, frame];
  }
  return (from + best + QUIET_FRAMES / 2) * FRAME_MS;
}
