// @ts-check
/**
 * What a conversation needs to outlive its connection: the token, the last event that came, and what was sent lately,
 * to be sent again where the server missed it. Pure; see docs/resume.md.
 */

/** @typedef {import("./effects.js").WireEvent} WireEvent */

export const KEPT_MS = 30_000;
export const KEPT_EVENTS = 3_000; // half a minute of speech is 1,500; with more, the oldest go

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
    /** @type {{event: WireEvent, atMs: number}[]} oldest first */
    this.kept = [];
  }

  /** Give an event that is to be sent its id, and keep it for a while. @param {WireEvent} event @param {number} nowMs */
  keep(event, nowMs) {
    this.count += 1;
    const id = `${this.stem}_${this.count}`;
    const numbered = { ...event, event_id: event.event_id ? `${event.event_id}.${id}` : id };
    this.kept.push({ event: numbered, atMs: nowMs });
    while (this.kept[0].atMs < nowMs - KEPT_MS || this.kept.length > KEPT_EVENTS) this.kept.shift();
    return numbered;
  }

  /** @param {WireEvent} event from the session, not from one that only stands in for it */
  received(event) {
    if (event.type === "parlour.resume_token") this.renew(event);
    if (event.event_id) this.lastEventId = event.event_id;
  }

  /**
   * hadSound: sound came as events did. Where the server played, what it had not played yet went with the connection: the
   * conversation is told anew then, with its sound from where it was heard last.
   * @param {boolean} hadSound @returns {WireEvent}
   */
  request(hadSound = true) {
    const since = this.lastEventId === null || !hadSound ? {} : { last_event_id: this.lastEventId };
    return { type: "parlour.resume", event_id: `${this.stem}_resume`, token: this.token, ...since };
  }

  /** The session is back. @param {WireEvent} resumed @returns {WireEvent[]} what the server has missed */
  resumed(resumed) {
    this.renew(resumed);
    const last = this.kept.findIndex(({ event }) => event.event_id === resumed.last_client_event_id);
    this.kept.splice(0, last + 1);
    return this.kept.map(({ event }) => event);
  }

  /** It will not come back. @param {number} sinceMs @returns {WireEvent[]} the speech since then, which nobody has heard */
  unheardSpeech(sinceMs) {
    return this.kept
      .filter(({ event, atMs }) => event.type === "input_audio_buffer.append" && atMs >= sinceMs)
      .map(({ event }) => event);
  }

  forget() {
    this.token = null;
    this.lastEventId = null;
    this.kept = [];
  }

  /** @param {WireEvent} event with a token */
  renew(event) {
    this.token = event.token;
    this.graceMs = event.grace_s * 1000;
  }
}
