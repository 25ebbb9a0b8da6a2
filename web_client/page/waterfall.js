// @ts-check
/** One turn's times as bars on a common axis. All times in ms since the user's end of speech. */

/** @typedef {import("../conversation/turn_log.js").TurnTrace} TurnTrace */
/** @typedef {{label: string, startMs: number, endMs: number}} Bar */

const STEPS = /** @type {const} */ ([
  ["End-of-turn decision", "decision_ms"],
  ["First token", "first_token_ms"],
  ["First audio", "first_audio_ms"],
  ["First heard sample", "first_heard_ms"],
]);

/**
 * Each step from the end of the last known one to its own; steps that did not happen have no bar.
 * @param {TurnTrace} turn
 * @returns {{totalMs: number, bars: Bar[]}}
 */
export function waterfall(turn) {
  /** @type {Bar[]} */
  const bars = [];
  let reached = 0;
  for (const [label, field] of STEPS) {
    const at = turn[field];
    if (at === null || at === undefined) continue;
    bars.push({ label, startMs: Math.min(reached, at), endMs: at });
    reached = Math.max(reached, at);
  }
  return { totalMs: reached, bars };
}

/** Durations of the stages, longest axis shared with the bars. @param {TurnTrace} turn @returns {Bar[]} */
export function stageBars(turn) {
  return Object.entries(turn.stages ?? {})
    .filter(([, ms]) => Number.isFinite(ms))
    .map(([label, ms]) => ({ label, startMs: 0, endMs: ms }));
}

/** "0.84 s" @param {number} ms */
export const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
