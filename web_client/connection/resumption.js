// @ts-check
/**
 * What a conversation needs to outlive its connection: the token, the last event that came, and what was sent lately,
 * to be sent again where the server missed it. Pure; see docs/resume.md.
 */

import { encodePcm } from "../conversation/base64.js";

/** @typedef {import("../conversation/effects.js").WireEvent} WireEvent */

export const RESEND_MS = 30_000;
export const RESEND_EVENTS_MAX = 3_000; // half a minute of speech is 1,500; with more, the oldest go

const IN_FLIGHT_MS = 40; // what the encoder and a dying network still held; a syllable twice is better than none

export class Resumption {
  /** @param {string} stem of this page's event ids, unlike any other page's of the same conversation */
  constructor(stem) {
    this.stem = stem;
    /** @type {string | null} */
    this.token = null;
    this.graceMs = 0;
    /** @type {string | null} */
    this.lastEventId = null;
    this.count = 0;
    /** @type {{event: WireEvent, atMs: number}[]} that the server may have missed, oldest first */
    this.resendEvents = [];
    /** @type {{pcm: Int16Array, atMs: number}[]} 20 ms each, of speech that went over RTP, oldest first */
    this.resendFrames = [];
  }

  /** A frame of the microphone went over RTP: keep it for a while. @param {Int16Array} pcm @param {number} nowMs */
  frameSent(pcm, nowMs) {
    this.resendFrames.push({ pcm, atMs: nowMs });
    while (this.resendFrames[0].atMs < nowMs - RESEND_MS) this.resendFrames.shift();
  }

  /** Give an event that is to be sent its id, and keep it for a while. @param {WireEvent} event @param {number} nowMs */
  prepare(event, nowMs) {
    const numbered = this.number(event);
    this.resendEvents.push({ event: numbered, atMs: nowMs });
    while (this.resendEvents[0].atMs < nowMs - RESEND_MS || this.resendEvents.length > RESEND_EVENTS_MAX) this.resendEvents.shift();
    return numbered;
  }

  /** @param {WireEvent} event */
  number(event) {
    this.count += 1;
    const id = `${this.stem}_${this.count}`;
    return { ...event, event_id: event.event_id ? `${event.event_id}.${id}` : id };
  }

  /** @param {WireEvent} event from the session, not from one that only stands in for it */
  received(event) {
    if (event.type === "parlour.resume_token") this.setToken(event);
    if (event.event_id) this.lastEventId = event.event_id;
  }

  /**
   * hadSound: sound came as events did. Where the server played, what it had not played yet went with the connection: the
   * conversation is resynced then, with its audio from where it was heard last.
   * @param {boolean} hadSound @returns {WireEvent}
   */
  request(hadSound = true) {
    const since = this.lastEventId === null || !hadSound ? {} : { last_event_id: this.lastEventId };
    const lost = this.lastEventId !== null; // else the conversation comes from another device, or from a page that left
    return { type: "parlour.resume", event_id: `${this.stem}_resume`, token: this.token, lost, ...since };
  }

  /**
   * The session is back.
   * @param {WireEvent} resumed @param {number} askedAtMs when it was asked for
   * @returns {WireEvent[]} what the server has missed: events, and speech that a call carried into nothing
   */
  resumed(resumed, askedAtMs) {
    this.setToken(resumed);
    const last = this.resendEvents.findIndex(({ event }) => event.event_id === resumed.last_client_event_id);
    const heardUntilMs = askedAtMs - (resumed.input_silent_ms ?? Infinity) - IN_FLIGHT_MS;
    const unheard = this.framesSince(heardUntilMs);
    this.resendFrames = [];
    this.resendEvents = [...this.resendEvents.slice(last + 1), ...unheard].sort((one, other) => one.atMs - other.atMs);
    return this.resendEvents.map(({ event }) => event);
  }

  /** It will not come back. @param {number} sinceMs @returns {WireEvent[]} the speech since then, which nobody has heard */
  speechSince(sinceMs) {
    const sent = this.resendEvents.filter(({ event }) => event.type === "input_audio_buffer.append");
    return [...sent, ...this.framesSince(sinceMs)]
      .filter(({ atMs }) => atMs >= sinceMs)
      .sort((one, other) => one.atMs - other.atMs)
      .map(({ event }) => event);
  }

  /** What went over RTP since then, as events. @param {number} sinceMs @returns {{event: WireEvent, atMs: number}[]} */
  framesSince(sinceMs) {
    return this.resendFrames
      .filter(({ atMs }) => atMs >= sinceMs)
      .map(({ pcm, atMs }) => ({ event: this.number({ type: "input_audio_buffer.append", audio: encodePcm(pcm) }), atMs }));
  }

  reset() {
    this.token = null;
    this.lastEventId = null;
    this.resendEvents = [];
    this.resendFrames = [];
  }

  /** @param {WireEvent} event with a token */
  setToken(event) {
    this.token = event.token;
    this.graceMs = event.grace_s * 1000;
  }
}
