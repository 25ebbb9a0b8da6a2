// @ts-check
/** One line of the conversation, and how much of it counts as said. */

import { spokenCharacters, spokenPart } from "./alignment.js";

/** @typedef {import("./alignment.js").Mark} Mark */
/**
 * A line of the user, or an answer. audioMs, heardMs: how much of its sound has come, and was heard. cutAt: characters
 * after which it was cut off, null where it was not. baseMs: where in it the player's sound of it begins. toldMs: where in
 * it the next piece of sound is that comes, null where that is at audioMs: some may be here already. playedByServer: how
 * much sound has come is not known here. isPast: of a session that is over.
 * @typedef {{
 *   id: string, role: "user" | "assistant", text: string, final: boolean,
 *   responseId: string | null,
 *   marks: Mark[], audioMs: number, audioEnded: boolean, heardMs: number, heardAll: boolean,
 *   baseMs: number, toldMs: number | null, playedByServer: boolean, isPast: boolean,
 *   cutAt: number | null, announced: boolean, failure: string | null}} Line
 */

/** @param {string} id @param {"user" | "assistant"} role @returns {Line} */
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
    baseMs: 0,
    toldMs: null,
    playedByServer: false,
    isPast: false,
    cutAt: null,
    announced: false,
    failure: null,
  };
}

/** How many characters of a line count as said. @param {Line} line */
export function spoken(line) {
  if (line.role === "user") return line.text.length;
  if (line.cutAt !== null) return Math.min(line.cutAt, line.text.length);
  if (line.heardAll) return line.text.length;
  return spokenCharacters(line.marks, line.heardMs, {
    textLength: line.text.length,
    audioMs: line.audioMs,
    audioEnded: line.audioEnded && !line.playedByServer,
  });
}

/** Of an answer: no sound of it has come. @param {Line} line */
export const isUnheard = (line) => line.audioMs === 0 && line.heardMs === 0 && !line.heardAll;

/** What counts as said, in whole words, as the page shows it. @param {Line} line */
export function saidText(line) {
  return spokenPart(line.text, spoken(line));
}
