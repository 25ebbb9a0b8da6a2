// @ts-check
/**
 * The sound of each turn, to be heard again: what the microphone heard of the user's, and what came of an answer. In memory
 * alone, and no more than so much. Pure.
 *
 * The server names places in a clock of its own, the audio that it was sent. When it says that speech has started or stopped
 * it has just heard a place so much later, and so has the page, but for the network's delay: the smallest difference is the best.
 */

import { joined } from "./pcm.js";

/** @typedef {import("./effects.js").WireEvent} WireEvent */
/**
 * An utterance, by the server's clock. voiceMs: where the voice begins. decidedMs: how far the page had heard when the turn was decided.
 * silenceMs: how much silence ends a turn; null where words count too. interrupts: the answer that was playing.
 * wentOnAfterMs: until the user spoke again, with no answer heard between.
 * @typedef {{startMs: number, voiceMs: number, endMs: number, decidedMs: number, silenceMs: number | null,
 *   interrupts: string | null, wentOnAfterMs: number | null}} Utterance
 */
/** utterance: of the user's turns. interruptedBy: of an answer, the turn that began in it. @typedef {{id: string, chunks: Int16Array[], length: number, utterance: Utterance | null, interruptedBy: string | null}} TurnSound */

const SAMPLES_PER_MS = 24;
const KEPT_SAMPLES = 20 * 60_000 * SAMPLES_PER_MS; // of all turns and clips together: 58 MB
const HEARD_SAMPLES = 75_000 * SAMPLES_PER_MS; // of the microphone: the longest utterance, and what surrounds it
export const LONGEST_UTTERANCE_MS = 60_000; // a longer one ends there, without a silence (`utterance_s_max`, as it is shipped)
const ONSET_MS = 90; // speech is noticed so long after its beginning
const PAD_MS = 100; // the end that is told lies so far in the silence (both: realtime/audio/endpointer.py)
const WENT_ON_MS = 2_000; // who speaks again so soon had not finished

export class TurnSounds {
  /** @param {number} limit in samples, of all that is kept */
  constructor(limit = KEPT_SAMPLES) {
    this.limit = limit;
    /** @type {Map<string, {length: number, forget(): void}>} by id, oldest first */
    this.kept = new Map();
    /** @type {Map<string, TurnSound>} */
    this.turns = new Map();
    /** @type {Int16Array[]} what the microphone heard last */
    this.heard = [];
    this.heardSamples = 0; // in `heard`
    this.position = 0; // samples heard since the beginning
    this.offsetMs = Infinity; // from the server's clock to ours
    this.paddingMs = 300;
    /** @type {number | null} */
    this.silenceMs = 500;
    /** @type {{id: string, startMs: number, interrupts: string | null} | null} */
    this.speaking = null;
    /** @type {Utterance | null} */
    this.lastUtterance = null;
  }

  /** @param {Int16Array} pcm what the assistant is sent of the microphone; kept */
  captured(pcm) {
    this.heard.push(pcm);
    this.heardSamples += pcm.length;
    this.position += pcm.length;
    while (this.heardSamples - this.heard[0].length > HEARD_SAMPLES) this.heardSamples -= this.heard.shift()?.length ?? 0;
  }

  /** @param {string} itemId @param {Int16Array} pcm more of an answer; kept */
  answered(itemId, pcm) {
    const turn = this.turns.get(itemId) ?? this.add(itemId, null);
    turn.chunks.push(pcm);
    turn.length += pcm.length;
    this.keep(itemId, turn.length, () => this.turns.delete(itemId));
  }

  /** So many samples are kept under a name until there is no room for them. @param {string} id @param {number} length @param {() => void} forget */
  keep(id, length, forget) {
    this.kept.set(id, { length, forget });
    let total = 0;
    for (const each of this.kept.values()) total += each.length;
    for (const [oldest, each] of this.kept) {
      if (total <= this.limit || oldest === id) return;
      total -= each.length;
      this.kept.delete(oldest);
      each.forget();
    }
  }

  /** @param {WireEvent} event from the server @param {string | null} playingItem the answer that is heard */
  receive(event, playingItem) {
    switch (event.type) {
      case "session.created":
      case "parlour.resumed":
        this.offsetMs = Infinity;
        this.speaking = null;
        this.lastUtterance = null;
        return this.settings(event.session);
      case "session.updated":
        return this.settings(event.session);
      case "input_audio_buffer.speech_started":
        return this.started(event.item_id, event.audio_start_ms, playingItem);
      case "input_audio_buffer.speech_stopped":
        return this.stopped(event.item_id, event.audio_end_ms);
    }
  }

  /** @param {WireEvent | undefined} session */
  settings(session) {
    const detection = session?.audio?.input?.turn_detection;
    if (!detection) return;
    this.paddingMs = detection.prefix_padding_ms ?? this.paddingMs;
    this.silenceMs = detection.type === "server_vad" ? (detection.silence_duration_ms ?? null) : null;
  }

  /** @param {string} id @param {number} startMs @param {string | null} interrupts */
  started(id, startMs, interrupts) {
    if (this.silenceMs === null && startMs > 0) this.align(startMs + this.paddingMs + ONSET_MS);
    const last = this.lastUtterance;
    const gapMs = last === null ? Infinity : startMs + this.paddingMs - (last.endMs - PAD_MS);
    if (last !== null && gapMs < WENT_ON_MS) last.wentOnAfterMs = gapMs;
    this.speaking = { id, startMs, interrupts };
    const answer = interrupts === null ? undefined : this.turns.get(interrupts);
    if (answer) answer.interruptedBy = id;
  }

  /** @param {string} id @param {number} endMs */
  stopped(id, endMs) {
    if (this.speaking?.id !== id) return;
    const { startMs, interrupts } = this.speaking;
    if (endMs - startMs >= LONGEST_UTTERANCE_MS) this.align(endMs);
    else if (this.silenceMs !== null) this.align(endMs - PAD_MS + this.silenceMs);
    if (this.offsetMs === Infinity) this.align(endMs);
    this.speaking = null;
    const decidedMs = this.position / SAMPLES_PER_MS - this.offsetMs;
    const voiceMs = startMs + this.paddingMs;
    const utterance = { startMs, voiceMs, endMs, decidedMs, silenceMs: this.silenceMs, interrupts, wentOnAfterMs: null };
    const pcm = this.heardBetween(startMs + this.offsetMs, decidedMs + this.offsetMs);
    if (pcm.length === 0) return;
    const turn = this.add(id, utterance);
    turn.chunks = [pcm];
    turn.length = pcm.length;
    this.keep(id, pcm.length, () => this.turns.delete(id));
    this.lastUtterance = utterance;
  }

  /** The server has just heard that place. @param {number} serverMs */
  align(serverMs) {
    this.offsetMs = Math.min(this.offsetMs, this.position / SAMPLES_PER_MS - serverMs);
  }

  /** What is left of it. @param {number} fromMs @param {number} toMs since the microphone's beginning */
  heardBetween(fromMs, toMs) {
    const before = this.position - this.heardSamples;
    const whole = joined(this.heard);
    const [from, to] = [fromMs, toMs].map((ms) => Math.max(0, Math.round(ms * SAMPLES_PER_MS) - before));
    return whole.slice(from, to);
  }

  /** @param {string} id @param {Utterance | null} utterance @returns {TurnSound} */
  add(id, utterance) {
    const turn = { id, chunks: [], length: 0, utterance, interruptedBy: null };
    this.turns.set(id, turn);
    return turn;
  }

  /** All of a turn; null where none of it is kept. @param {string} id */
  pcmOf(id) {
    const turn = this.turns.get(id);
    if (!turn || turn.length === 0) return null;
    if (turn.chunks.length > 1) turn.chunks = [joined(turn.chunks)];
    return turn.chunks[0];
  }

  /** The same, of an answer that was cut off only what was heard. @param {import("./transcript_line.js").TranscriptLine} line */
  heardOf({ id, role, cutAt, heardMs, playedByServer }) {
    const pcm = this.pcmOf(id);
    if (pcm === null || role === "user" || cutAt === null || playedByServer) return pcm; // what the server plays is recorded as it is heard
    return heardMs > 0 ? pcm.slice(0, Math.round(heardMs * SAMPLES_PER_MS)) : null;
  }
}
