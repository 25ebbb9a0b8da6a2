// @ts-check
/**
 * The resync after a resume that could not replay what was missed ("Told anew" in docs/resume.md): the server sends the
 * whole conversation again, and it is merged with what the page knows. Lines that the page has keep their words; audio
 * that the player has is not played twice.
 */

import { decodePcm, encodePcm, sampleCount } from "./base64.js";
import { isAsked, isUnheard } from "./transcript_line.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").WireEvent} WireEvent */
/** @typedef {import("./transcript_line.js").TranscriptLine} TranscriptLine */

const SAMPLES_PER_MS = 24;

/**
 * Before it begins: what was under way is so only if the server says it again.
 * @param {Conversation} conversation @param {WireEvent} resumed @returns {Effect[]}
 */
export function beginResync(conversation, { playing }) {
  conversation.userSpeaking = false;
  conversation.active = null;
  conversation.requested = false;
  conversation.reasoning = false;
  conversation.owedUntilMs = null;
  conversation.cancelNext = false;
  conversation.resyncing = true;
  conversation.heardMsOfPlaying = new Map(playing.map((/** @type {any} */ each) => [each.item_id, each.heard_ms]));
  /** @type {Effect[]} */
  const effects = conversation.requestWaits ? conversation.request() : []; // that the other response has ended is not told again
  for (const line of conversation.lines.filter(({ role }) => role === "assistant")) {
    line.final = true;
    line.playedByServer = conversation.serverPlays;
    const heardMs = conversation.heardMsOfPlaying.get(line.id);
    if (heardMs !== undefined) {
      line.marks = []; // they are sent again
      expectAudio(line, heardMs);
    } else if (!line.audioEnded && line.audioMs > 0) {
      line.audioEnded = true;
      effects.push({ kind: "end", item: line.id });
    }
  }
  // An answer of which nothing was heard is made again.
  conversation.lines = conversation.lines.filter((line) =>
    line.role === "user" ? isAsked(line) : !isUnheard(line) || line.cutAt !== null,
  );
  return effects;
}

/** @param {Conversation} conversation @param {{id: string, type: string, role?: string, status?: string, content?: any[]}} item */
export function resyncItem(conversation, item) {
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
  const heardMs = conversation.heardMsOfPlaying.get(item.id);
  line.heardAll = heardMs === undefined && line.final;
  if (heardMs !== undefined) expectAudio(line, heardMs);
}

/** Of an answer that is being made, all of the text is sent again. @param {TranscriptLine} line */
export function restartText(line) {
  line.text = "";
  line.final = false;
}

/**
 * The part of a piece of audio that has not come yet, null where there is none.
 * @param {TranscriptLine} line @param {string} audio base64 @returns {string | null}
 */
export function missingAudio(line, audio) {
  if (line.nextAudioMs === null) return audio;
  const missing = Math.round((line.audioMs - line.nextAudioMs) * SAMPLES_PER_MS);
  const count = sampleCount(audio);
  if (missing >= count) {
    line.nextAudioMs += count / SAMPLES_PER_MS;
    return null;
  }
  line.nextAudioMs = null;
  return missing > 0 ? encodePcm(decodePcm(audio).slice(missing)) : audio;
}

/** The audio of a line is sent again from there. @param {TranscriptLine} line @param {number} fromMs */
function expectAudio(line, fromMs) {
  line.nextAudioMs = fromMs;
  if (fromMs <= line.audioMs) return;
  line.playbackOffsetMs += fromMs - line.audioMs; // what lies between was heard elsewhere
  line.audioMs = fromMs;
  line.heardMs = Math.max(line.heardMs, fromMs);
}
