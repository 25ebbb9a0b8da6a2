// @ts-check
/**
 * What was heard of an answer: by the report of whoever plays it, or by the word of the server. What was not heard when
 * it was cut off is not part of the conversation any more. Pure: acts on a conversation, and returns effects.
 */

import { send } from "./effects.js";
import { spokenText, spokenLength } from "./transcript_line.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").WireEvent} WireEvent */
/** @typedef {import("./transcript_line.js").TranscriptLine} TranscriptLine */
/**
 * What whoever plays tells of an item: playedMs of its sound have left the loudspeaker. underruns: of all items so far.
 * @typedef {{kind: "started", item: string, playedMs: number, underruns: number}
 *   | {kind: "progress", item: string, playedMs: number, underruns: number}
 *   | {kind: "finished", item: string, playedMs: number, underruns: number}
 *   | {kind: "flushed", items: {item: string, playedMs: number}[], underruns: number}} PlaybackReport
 */

export const PLAYBACK_EVERY_MS = 200;

/** @param {Conversation} conversation @param {PlaybackReport} report @param {number} nowMs @returns {Effect[]} */
export function played(conversation, report, nowMs) {
  if (report.kind === "flushed") return flushed(conversation, report);
  const line = conversation.find(report.item);
  const playedMs = Math.round((line?.playbackOffsetMs ?? 0) + report.playedMs);
  if (line && line.cutAt === null) line.heardMs = Math.max(line.heardMs, playedMs);
  if (report.kind === "started") {
    conversation.playingItem = report.item;
    if (!conversation.requested && !conversation.requestWaits) conversation.unanswered = false;
  }
  if (report.kind === "finished") {
    if (conversation.playingItem === report.item) conversation.playingItem = null;
    if (line && line.cutAt === null) line.heardAll = true;
    return [...acknowledge(conversation, report.item, playedMs, report.underruns), ...announce(line)];
  }
  if (report.kind === "progress" && nowMs - conversation.lastPlaybackMs < PLAYBACK_EVERY_MS) return [];
  conversation.lastPlaybackMs = nowMs;
  return acknowledge(conversation, report.item, playedMs, report.underruns);
}

/** Stop what is heard or will be; the player's answer (`flushed`) says how far it was. @param {Conversation} conversation @returns {Effect[]} */
export function interrupt(conversation) {
  if (conversation.active !== null) conversation.remember(conversation.active);
  const unheard = conversation.lines.some((line) => line.audioMs > 0 && !line.heardAll && line.cutAt === null);
  return unheard || conversation.playingItem !== null ? [{ kind: "flush" }] : [];
}

/** @param {Conversation} conversation @param {WireEvent} event parlour.heard @returns {Effect[]} */
export function heardByServer(conversation, event) {
  const line = conversation.find(event.item_id);
  if (!line) return [];
  // The transcript is the beginning of what was decoded, but for blanks at its end.
  line.cutAt = Math.min(line.text.length, event.transcript.length);
  line.final = true;
  return announce(line);
}

/**
 * Where the server plays, it says where it cut off; `parlour.heard`, where it comes, knows better.
 * @param {Conversation} conversation @param {WireEvent} event conversation.item.truncated @returns {Effect[]}
 */
export function truncatedByServer(conversation, event) {
  const line = conversation.find(event.item_id);
  if (!line || !conversation.serverPlays || line.cutAt !== null) return [];
  line.heardMs = event.audio_end_ms;
  line.heardAll = false;
  line.cutAt = spokenLength(line);
  return announce(line);
}

/** Read a line to a screen reader, once, when nothing of it will change. @param {TranscriptLine | undefined} line @returns {Effect[]} */
export function announce(line) {
  if (!line || line.announced) return [];
  const settled = line.role === "user" ? line.final : line.final && (line.heardAll || line.cutAt !== null);
  if (!settled) return [];
  line.announced = true;
  const text = spokenText(line).trim();
  if (text === "") return [];
  return [{ kind: "announce", text: `${line.role === "user" ? "You" : "Parlour"}: ${text}` }];
}

/**
 * @param {Conversation} conversation
 * @param {{items: {item: string, playedMs: number}[], underruns: number}} report @returns {Effect[]}
 */
function flushed(conversation, report) {
  conversation.playingItem = null;
  /** @type {Effect[]} */
  const effects = [];
  for (const { item, playedMs: playedHereMs } of report.items) {
    const line = conversation.find(item);
    if (!line) continue;
    const playedMs = Math.round(line.playbackOffsetMs + playedHereMs);
    line.heardMs = Math.max(line.heardMs, playedMs);
    if (!line.isPast) effects.push(...acknowledge(conversation, item, playedMs, report.underruns));
    if (conversation.leaving) continue;
    line.cutAt ??= spokenLength(line); // a server that heard the barge-in first may have said it already
    const truncate = { type: "conversation.item.truncate", item_id: item, content_index: 0, audio_end_ms: playedMs };
    if (!line.isPast && !conversation.serverPlays) effects.push(send(truncate));
    effects.push(...announce(line));
  }
  return effects;
}

/** @param {Conversation} conversation @param {string} item @param {number} playedMs @param {number} underruns @returns {Effect[]} */
function acknowledge(conversation, item, playedMs, underruns) {
  if (!conversation.acknowledges || conversation.serverPlays) return [];
  const event = { type: "parlour.playback", event_id: `parlour_${item}_${playedMs}` };
  return [send({ ...event, item_id: item, played_ms: playedMs, underruns })];
}
