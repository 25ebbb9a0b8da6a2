// @ts-check
/** The events of a session for the drawer and for download, with sound left out: who needs it has ears. */

import { sampleCount } from "./base64.js";

/** @typedef {import("./effects.js").WireEvent} WireEvent */
/** @typedef {{id: number, atMs: number, way: "sent" | "received", type: string, count: number, event: WireEvent}} Entry */

const ENTRIES_MAX = 1_000; // the oldest go; a conversation makes some fifty entries a turn

export class EventLog {
  constructor() {
    /** @type {Entry[]} */
    this.entries = [];
    this.nextId = 1;
  }

  /**
   * Add one event. What streams (sound, words, marks) is one entry of each kind that counts, until something else
   * happens: a turn is then a page to read and not a waterfall to drown in.
   * @param {"sent" | "received"} way @param {WireEvent} event @param {number} atMs
   */
  add(way, event, atMs) {
    const running = STREAMING.has(event.type) ? this.runningEntry(way, event.type) : undefined;
    if (running) {
      running.count += 1;
      running.event = joined(running.event, event);
      return;
    }
    const entry = { id: this.nextId, atMs, way, type: event.type, count: 1, event: shortened(event) };
    this.nextId += 1;
    this.entries.push(entry);
    if (this.entries.length > ENTRIES_MAX) this.entries.shift();
  }

  /** The entry that this kind of event is counted in, if nothing else came between. @param {string} way @param {string} type */
  runningEntry(way, type) {
    for (let at = this.entries.length - 1; at >= 0 && STREAMING.has(this.entries[at].type); at -= 1) {
      if (this.entries[at].type === type && this.entries[at].way === way) return this.entries[at];
    }
    return undefined;
  }

  /** Entries whose type or content holds the text. @param {string} filter */
  matching(filter) {
    const wanted = filter.trim().toLowerCase();
    if (wanted === "") return this.entries;
    return this.entries.filter(
      (entry) => entry.type.includes(wanted) || JSON.stringify(entry.event).toLowerCase().includes(wanted),
    );
  }
}

/** One JSON object a line. @param {readonly Entry[]} entries */
export function asLines(entries) {
  return entries
    .map(({ atMs, way, count, event }) => JSON.stringify({ at_ms: Math.round(atMs), way, count, event }))
    .join("\n");
}

const STREAMING = new Set([
  "input_audio_buffer.append",
  "response.output_audio.delta",
  "response.output_audio_transcript.delta",
  "response.output_text.delta",
  "parlour.alignment",
  "parlour.playback",
]);

/** The newest event of a run; words of the run are put together. @param {WireEvent} before @param {WireEvent} event @returns {WireEvent} */
function joined(before, event) {
  if (event.type.endsWith("transcript.delta") || event.type.endsWith("text.delta")) {
    return { ...event, delta: before.delta + event.delta };
  }
  return shortened(event);
}

/** @param {WireEvent} event @returns {WireEvent} */
function shortened(event) {
  if (event.type === "input_audio_buffer.append") return { ...event, audio: soundNote(event.audio) };
  if (event.type === "conversation.item.create") return { ...event, item: { ...event.item, content: event.item.content?.map(partShortened) } };
  if (event.type === "response.output_audio.delta") return { ...event, delta: soundNote(event.delta) };
  if (typeof event.token === "string") return { ...event, token: "…" }; // whoever has it has the conversation
  return event;
}

/** @param {WireEvent} part */
const partShortened = (part) => (typeof part.audio === "string" ? { ...part, audio: soundNote(part.audio) } : part);

/** @param {string} base64 */
const soundNote = (base64) => `(${Math.round(sampleCount(base64) / 24)} ms of sound)`;
