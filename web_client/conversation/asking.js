// @ts-check
/** What the user asks in writing, and about which clips: how it gets to the server. Pure: acts on a conversation, and returns effects. */

import { send } from "./effects.js";
import { Upload, itemsOf, wordsItem } from "./question.js";
import { spokenText } from "./transcript_line.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").WireEvent} WireEvent */
/** @typedef {import("./transcript_line.js").TranscriptLine} TranscriptLine */

const CLIPS_HELD_MS = 330_000; // what a conversation holds of sound (realtime/protocol/limits.py)
/** @type {Effect} */
const UPLOAD = { kind: "upload" };

/**
 * @param {Conversation} conversation @param {import("./question.js").Question} question @param {string} itemId
 * @param {number} nowMs @returns {Effect[]}
 */
export function asked(conversation, question, itemId, nowMs) {
  const line = conversation.line(itemId, "user");
  line.text = question.text;
  line.final = true;
  line.announced = true; // the person who typed it knows it
  line.clips = question.clips.map((clip) => ({ clip, words: clip.parts.map(() => "") }));
  const items = itemsOf(question, itemId);
  for (const { item, places } of items) if (places.length > 0) conversation.clipItems.set(item.id, { line, places });
  forgetOldClips(conversation);
  if (question.text === "") return uploaded(conversation, new Upload(items, false));
  const isRequested = conversation.requested;
  const stopping = conversation.interruptAnswer();
  conversation.cancelNext = isRequested;
  conversation.unanswered = true;
  if (question.clips.length > 0 || conversation.uploads.length > 0) {
    return [...stopping, ...uploaded(conversation, new Upload(items, true))];
  }
  conversation.expectAnswer(nowMs);
  return [...stopping, send({ type: "conversation.item.create", item: items[0].item }), ...conversation.request()];
}

/** @param {Conversation} conversation @param {Upload} upload @returns {Effect[]} */
function uploaded(conversation, upload) {
  conversation.uploads.push(upload);
  return conversation.uploads.length === 1 ? [UPLOAD] : [];
}

/** What is next of the questions with clips is to be sent. @param {Conversation} conversation @returns {Effect[]} */
export function sendNext(conversation) {
  const event = conversation.uploads[0]?.next ?? null;
  if (event === null) return [];
  conversation.uploads[0].sent();
  return [send(event)];
}

/** The server has an item. @param {Conversation} conversation @param {string} itemId @param {number} nowMs @returns {Effect[]} */
export function itemTaken(conversation, itemId, nowMs) {
  const [upload] = conversation.uploads;
  if (!upload?.acknowledged(itemId)) return [];
  if (!upload.isDone) return [UPLOAD];
  conversation.uploads.shift();
  const next = conversation.uploads.length > 0 ? [UPLOAD] : [];
  if (!upload.asks) return next;
  conversation.expectAnswer(nowMs);
  return [...conversation.request(), ...next];
}

/** It does not take one: nothing more of that question is sent. @param {Conversation} conversation @param {Upload} upload @param {string} why @returns {Effect[]} */
export function refused(conversation, upload, why) {
  conversation.uploads.shift();
  const line = conversation.find(upload.questionId);
  if (line) line.failure = why;
  if (upload.asks) conversation.nothingAsked();
  return [{ kind: "notice", text: `The server does not take it: ${why}` }, ...(conversation.uploads.length > 0 ? [UPLOAD] : [])];
}

/** Part of a clip was recognised. @param {Conversation} conversation @param {string} itemId @param {string} transcript @param {number} index of the item's part @returns {Effect[]} */
export function clipWords(conversation, itemId, transcript, index) {
  const asked = conversation.clipItems.get(itemId);
  const place = asked?.places[index];
  if (asked && place) asked.line.clips[place.clip].words[place.part] = transcript.trim();
  return [];
}

/** A line as the items of a session that does not know it. @param {TranscriptLine} line @returns {WireEvent[]} */
export function itemsAgain(line) {
  const text = spokenText(line).trim();
  const clips = line.clips.map(({ clip }) => clip);
  if (clips.length === 0) {
    return [{ type: "message", role: line.role, content: [{ type: line.role === "user" ? "input_text" : "output_text", text }] }];
  }
  if (clips.some(({ parts }) => parts.length === 0)) return [wordsItem(text, line.clips, line.id)];
  return itemsOf({ text, clips }, line.id).map(({ item }) => item);
}

/** What the server does not hold any more is not told to the next one. @param {Conversation} conversation */
function forgetOldClips(conversation) {
  let newerMs = 0;
  for (const { clip } of conversation.lines.flatMap(({ clips }) => clips).reverse()) {
    if (newerMs > CLIPS_HELD_MS) clip.parts = [];
    newerMs += clip.lengthMs;
  }
}
