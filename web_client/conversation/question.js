// @ts-check
/**
 * A question about clips, on the wire: ordinary items of the user's, audio before text. What fits into one event is one item;
 * a longer piece of audio has an item for itself, and models read the items of one speaker as one. Pure.
 */

/** @typedef {import("./effects.js").WireEvent} WireEvent */
/** parts: what models hear at once, as base64 of the wire; none where it is not kept any more. @typedef {{name: string, lengthMs: number, parts: string[]}} AskedClip */
/** words: of each part, as far as they were recognised. @typedef {{clip: AskedClip, words: string[]}} LineClip */
/** @typedef {{text: string, clips: AskedClip[]}} Question no text: it will be spoken */
/** @typedef {{item: WireEvent, places: {clip: number, part: number}[]}} PlannedItem places: of its content parts, in order */

export const ITEM_CHARS_MAX = 1_000_000; // an event may have 1 MiB, and one with a single piece of audio twice that (docs/wire.md)
const TEXT_CHARS_MOST = 30_000; // of a question, when each of its characters is escaped

/**
 * The items of a question, in their order; the last one has its text, and its id.
 * @param {Question} question @param {string} id @returns {PlannedItem[]}
 */
export function itemsOf({ text, clips }, id) {
  /** @type {{places: {clip: number, part: number}[], content: WireEvent[], size: number}[]} */
  const groups = [];
  clips.forEach(({ parts }, clip) =>
    parts.forEach((audio, part) => {
      let group = groups.at(-1);
      if (!group || group.size + audio.length > ITEM_CHARS_MAX) groups.push((group = { places: [], content: [], size: TEXT_CHARS_MOST }));
      group.size += audio.length;
      group.places.push({ clip, part });
      group.content.push({ type: "input_audio", audio });
    }),
  );
  if (groups.length === 0) groups.push({ places: [], content: [], size: 0 });
  if (text !== "") groups[groups.length - 1].content.push({ type: "input_text", text });
  return groups.map(({ places, content }, index) => ({
    places,
    item: { id: index === groups.length - 1 ? id : `${id}_${index}`, type: "message", role: "user", content },
  }));
}

/** What is left of a question whose clips are not kept: their words, where they are known. @param {string} text @param {LineClip[]} clips @param {string} id */
export function wordsItem(text, clips, id) {
  const content = clips.map(({ words }) => ({ type: "input_audio", transcript: words.join(" ").trim() }));
  const asked = text === "" ? [] : [{ type: "input_text", text }];
  return { id, type: "message", role: "user", content: [...content, ...asked] };
}

/** Items on their way to the server, one after another: the next goes when it has taken the one before. */
export class Upload {
  /** @param {PlannedItem[]} items @param {boolean} asks whether an answer is wanted after the last one */
  constructor(items, asks) {
    this.events = items.map(({ item }) => ({ type: "conversation.item.create", event_id: eventIdOf(item.id), item }));
    this.asks = asks;
    this.taken = 0;
    this.isUnderWay = false; // the next one was sent, and is not taken yet
  }

  /** The item that has its text, and the line's id. @returns {string} */
  get questionId() {
    return this.events[this.events.length - 1].item.id;
  }

  /** What may be sent now. @returns {WireEvent | null} */
  get next() {
    return this.isUnderWay || this.isDone ? null : this.events[this.taken];
  }

  get isDone() {
    return this.taken === this.events.length;
  }

  /** 0 to 1. */
  get progress() {
    return this.taken / this.events.length;
  }

  sent() {
    this.isUnderWay = true;
  }

  /** An item is there. @param {string} itemId @returns {boolean} whether it is the one that is under way */
  acknowledged(itemId) {
    if (this.isDone || !this.isUnderWay || this.events[this.taken].item.id !== itemId) return false;
    this.taken += 1;
    this.isUnderWay = false;
    return true;
  }

  /** @param {string} eventId of an error; what was sent had more behind it (connection/resumption.js) */
  isRefusal(eventId) {
    return !this.isDone && this.isUnderWay && eventId.startsWith(`${eventIdOf(this.events[this.taken].item.id)}.`);
  }
}

/** @param {string} itemId */
const eventIdOf = (itemId) => `ask_${itemId}`;

/** How fast large events may follow one another: a server ends a session that sends more (realtime/session/flood.py). */
export class Pace {
  /** @param {number} nowMs */
  constructor(nowMs) {
    this.leftChars = BURST_CHARS;
    this.atMs = nowMs;
  }

  /** An event of that size goes when? Counted as sent where the answer is 0. @param {number} chars @param {number} nowMs @returns {number} ms from now */
  waitMs(chars, nowMs) {
    this.leftChars = Math.min(BURST_CHARS, this.leftChars + ((nowMs - this.atMs) * CHARS_PER_S) / 1000);
    this.atMs = nowMs;
    if (this.leftChars < chars) return Math.ceil(((chars - this.leftChars) * 1000) / CHARS_PER_S);
    this.leftChars -= chars;
    return 0;
  }
}

const CHARS_PER_S = 1024 * 1024; // two thirds of what the server allows: there are other events
const BURST_CHARS = 16 * 1024 * 1024; // half
