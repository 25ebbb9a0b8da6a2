// @ts-check
/** What happened in a turn, as marks in its sound: when one spoke and paused, why the turn ended, where an answer was cut off. Pure. */

import { LONGEST_UTTERANCE_MS } from "./turn_sounds.js";

/** @typedef {import("./turn_sounds.js").TurnSound} TurnSound */
/** @typedef {{startMs: number, endMs: number}} Stretch */
/** atMs: from the sound's beginning. @typedef {{atMs: number, name: "start" | "pause" | "end" | "decided" | "interruption", text: string}} Mark */


/**
 * Of the user's: by the server's word, and between, the pauses as the page hears them.
 * @param {import("./turn_sounds.js").Utterance} utterance @param {readonly Stretch[]} pauses in the sound @returns {Mark[]}
 */
export function marksOfUtterance(utterance, pauses) {
  const { startMs, voiceMs, endMs, decidedMs, interrupts } = utterance;
  /** @type {Mark[]} */
  const marks = [{ atMs: voiceMs - startMs, name: "start", text: `${at(voiceMs - startMs)}: you began to speak.` }];
  if (interrupts !== null) {
    marks.push({ atMs: voiceMs - startMs, name: "interruption", text: `${at(voiceMs - startMs)}: that interrupted the answer (barge-in).` });
  }
  for (const pause of pauses) {
    if (pause.startMs < voiceMs - startMs || pause.endMs > endMs - startMs) continue;
    marks.push({ atMs: pause.startMs, name: "pause", text: `${at(pause.startMs)}: a pause of ${length(pause.endMs - pause.startMs)}.` });
  }
  marks.push({ atMs: endMs - startMs, name: "end", text: `${at(endMs - startMs)}: the end of what was heard as your turn.` });
  marks.push({ atMs: decidedMs - startMs, name: "decided", text: `${at(decidedMs - startMs)}: your turn was taken for ended, ${reason(utterance)}` });
  return marks;
}

/** Of an answer. @param {TurnSound} turn @param {{heardMs: number, isCut: boolean}} heard @returns {Mark[]} */
export function marksOfAnswer({ interruptedBy }, { heardMs, isCut }) {
  /** @type {Mark[]} */
  const marks = [{ atMs: 0, name: "start", text: `${at(0)}: the answer began.` }];
  if (!isCut) return marks;
  const why = interruptedBy === null ? "it was stopped" : "you spoke, and it stopped (barge-in)";
  marks.push({ atMs: heardMs, name: interruptedBy === null ? "end" : "interruption", text: `${at(heardMs)}: ${why}. The rest was not heard.` });
  return marks;
}

/** @param {import("./turn_sounds.js").Utterance} utterance */
function reason({ startMs, endMs, silenceMs, wentOnAfterMs }) {
  const wentOn = wentOnAfterMs === null ? "" : ` You went on ${length(wentOnAfterMs)} after your last word: longer than that, so it was cut.`;
  if (endMs - startMs >= LONGEST_UTTERANCE_MS) return "because no turn may be longer.";
  if (silenceMs === null) return `by the silence and by its words.${wentOn}`;
  return `for there had been ${length(silenceMs)} of silence.${wentOn}`;
}

/** @param {number} ms */
const at = (ms) => `At ${length(Math.max(0, ms))}`;

/** @param {number} ms */
const length = (ms) => `${(ms / 1000).toFixed(ms < 1_000 ? 2 : 1)} s`;
