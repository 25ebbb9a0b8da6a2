// @ts-check
/**
 * A conversation told anew (docs/resume.md): what the server tells of it, put together with what the page knows. Lines
 * that the page has keep their words; sound that the player has is not played twice.
 */

import { decodePcm, encodePcm, sampleCount } from "./base64.js";
import { isUnheard } from "./transcript_line.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").WireEvent} WireEvent */
/** @typedef {import("./transcript_line.js").TranscriptLine} TranscriptLine */

const SAMPLES_A_MS = 24;

/**
 * Before it is told: what was under way is so only if the server says it again.
 * @param {Conversation} conversation @param {WireEvent} resumed @returns {Effect[]}
 */
export function prepare(conversation, { playing }) {
  conversation.userSpeaking = false;
  conversation.active = null;
  conversation.owedUntilMs = null;
  conversation.cancelNext = false;
  conversation.toldAnew = true;
  conversation.stillPlaying = new Map(playing.map((/** @type {any} */ each) => [each.item_id, each.heard_ms]));
  /** @type {Effect[]} */
  const effects = [];
  for (const line of conversation.lines.filter(({ role }) => role === "assistant")) {
    line.final = true;
    line.playedByServer = conversation.serverPlays;
    const heardMs = conversation.stillPlaying.get(line.id);
    if (heardMs !== undefined) {
      line.marks = []; // they are told again
      expectSound(line, heardMs);
    } else if (!line.audioEnded && line.audioMs > 0) {
      line.audioEnded = true;
      effects.push({ kind: "end", item: line.id });
    }
  }
  // An answer of which nothing was heard is made again.
  conversation.lines = conversation.lines.filter((line) =>
    line.role === "user" ? line.text !== "" : !isUnheard(line) || line.cutAt !== null,
  );
  return effects;
}

/** @param {Conversation} conversation @param {{id: string, type: string, role?: string, status?: string, content?: any[]}} item */
export function itemTold(conversation, item) {
  if (item.type !== "message" || item.role === "system" || conversation.find(item.id)) return;
  const parts = item.content ?? [];
  const line = conversation.line(item.id, item.role === "user" ? "user" : "assistant");
  line.text = parts.map((part) => part.text ?? part.transcript ?? "").join(" ");
  line.announced = item.status !== "in_progress"; // it was said before
  if (line.role === "user") {
    line.final = !parts.some((part) => part.type === "input_audio" && part.transcript === null);
    return;
  }
  line.final = item.status !== "in_progress";
  const heardMs = conversation.stillPlaying.get(item.id);
  line.heardAll = heardMs === undefined && line.final;
  if (heardMs !== undefined) expectSound(line, heardMs);
}

/** An answer that is being made tells all of its text again. @param {TranscriptLine} line */
export function textTold(line) {
  line.text = "";
  line.final = false;
}

/**
 * The part of a piece of sound that has not come yet, null where there is none.
 * @param {TranscriptLine} line @param {string} audio base64 @returns {string | null}
 */
export function newSound(line, audio) {
  if (line.nextAudioMs === null) return audio;
  const missing = Math.round((line.audioMs - line.nextAudioMs) * SAMPLES_A_MS);
  const count = sampleCount(audio);
  if (missing >= count) {
    line.nextAudioMs += count / SAMPLES_A_MS;
    return null;
  }
  line.nextAudioMs = null;
  return missing > 0 ? encodePcm(decodePcm(audio).slice(missing)) : audio;
}

/** The sound of a line comes again from there. @param {TranscriptLine} line @param {number} fromMs */
function expectSound(line, fromMs) {
  line.nextAudioMs = fromMs;
  if (fromMs <= line.audioMs) return;
  line.playbackOffsetMs += fromMs - line.audioMs; // what lies between was heard elsewhere
  line.audioMs = fromMs;
  line.heardMs = Math.max(line.heardMs, fromMs);
}
