// @ts-check
/** One line of the conversation, and how much of it counts as said. */

import { spokenCharacters, spokenPart } from "./alignment.js";

/** @typedef {import("./alignment.js").Mark} Mark */
/**
 * A line of the user, or an answer; its id is the item's. Times are positions in its audio.
 * audioMs, heardMs: how much audio has come, and how much of it was heard.
 * cutAt: characters after which it was cut off; null where it was not.
 * playbackOffsetMs: where the audio begins that this page's player has of it.
 * nextAudioMs: where the next piece of audio begins that comes; null: at audioMs. Some of it may be here already.
 * playedByServer: over a call, and so how much audio has come is not known here.
 * isPast: of a session that is over.
 * clips: what a question of the user's is about.
 * @typedef {{
 *   id: string, role: "user" | "assistant", text: string, final: boolean,
 *   responseId: string | null,
 *   marks: Mark[], audioMs: number, audioEnded: boolean, heardMs: number, heardAll: boolean,
 *   playbackOffsetMs: number, nextAudioMs: number | null, playedByServer: boolean, isPast: boolean,
 *   cutAt: number | null, announced: boolean, failure: string | null,
 *   clips: import("./question.js").LineClip[]}} TranscriptLine
 */

/** @param {string} id @param {"user" | "assistant"} role @returns {TranscriptLine} */
export function newLine(id, role) {
  return {
    id,
    role,
    text: "",
    final: false,
    responseId: null,
    marks: [],
    audioMs: 0,
    audioEnded: false,
    heardMs: 0,
    heardAll: false,
    playbackOffsetMs: 0,
    nextAudioMs: null,
    playedByServer: false,
    isPast: false,
    cutAt: null,
    announced: false,
    failure: null,
    clips: [],
  };
}

/** How many characters of a line count as said. @param {TranscriptLine} line */
export function spokenLength(line) {
  if (line.role === "user") return line.text.length;
  if (line.cutAt !== null) return Math.min(line.cutAt, line.text.length);
  if (line.heardAll) return line.text.length;
  return spokenCharacters(line.marks, line.heardMs, {
    textLength: line.text.length,
    audioMs: line.audioMs,
    audioEnded: line.audioEnded && !line.playedByServer,
  });
}

/** Of an answer: no sound of it has come. @param {TranscriptLine} line */
export const isUnheard = (line) => line.audioMs === 0 && line.heardMs === 0 && !line.heardAll;

/** Of the user's: it has words, or clips. @param {TranscriptLine} line */
export const isAsked = (line) => line.text !== "" || line.clips.length > 0;

/** What counts as said, in whole words, as the page shows it. @param {TranscriptLine} line */
export function spokenText(line) {
  return spokenPart(line.text, spokenLength(line));
}
