// @ts-check
/**
 * One record per turn for the drawer: the server's own trace where it sends one, filled up with what only the page
 * can know (when the first sample was heard), and the page's own clock where the server says nothing.
 */

/** @typedef {import("./effects.js").WireEvent} WireEvent */
/**
 * A turn's times in ms since the user's end of speech, as `parlour.turn` tells them; null where that did not happen.
 * @typedef {{
 *   response_id: string, item_id?: string | null, decision_ms: number | null, first_token_ms: number | null,
 *   first_audio_ms: number | null, first_heard_ms: number | null,
 *   stages?: Record<string, number>, outcome?: string}} TurnTrace
 */
/**
 * @typedef {{responseId: string, typed: boolean, itemId: string | null, decidedAt: number | null, firstTokenAt: number | null,
 *   firstAudioAt: number | null, heardAt: number | null, outcome: string | null, server: TurnTrace | undefined}} TurnRecord
 */

const TURNS_MAX = 50;

export class TurnLog {
  constructor() {
    /** @type {TurnRecord[]} */
    this.records = [];
    /** @type {number | null} */
    this.decidedAt = null;
    this.isTyped = false;
  }

  /** @param {WireEvent} event @param {number} nowMs @returns {boolean} whether a record changed */
  receive(event, nowMs) {
    switch (event.type) {
      case "input_audio_buffer.speech_stopped":
        this.decidedAt = nowMs;
        this.isTyped = false;
        return false;
      case "response.created": {
        const record = this.record(event.response.id);
        record.decidedAt = this.decidedAt ?? nowMs;
        record.typed = this.isTyped;
        this.decidedAt = null;
        this.isTyped = false;
        return true;
      }
      case "response.output_audio_transcript.delta":
      case "response.output_text.delta": {
        const record = this.record(event.response_id);
        record.itemId = event.item_id;
        record.firstTokenAt ??= nowMs;
        return record.firstTokenAt === nowMs;
      }
      case "response.output_audio.delta": {
        const record = this.record(event.response_id);
        record.itemId = event.item_id;
        record.firstAudioAt ??= nowMs;
        return record.firstAudioAt === nowMs;
      }
      case "response.done":
        this.record(event.response.id).outcome = event.response.status;
        return true;
      case "parlour.turn": {
        const record = this.record(event.turn.response_id);
        record.server = mergeTurns(record.server, event.turn);
        return true;
      }
      default:
        return false;
    }
  }

  /** The first sample of an item left the loudspeaker. @param {string} itemId @param {number} nowMs */
  heard(itemId, nowMs) {
    const record = this.records.findLast((each) => each.itemId === itemId);
    if (record) record.heardAt ??= nowMs;
  }

  /** The user typed: that is when this turn ended. @param {number} nowMs */
  typed(nowMs) {
    this.decidedAt = nowMs;
    this.isTyped = true;
  }

  /** Newest first, with where its zero is. @returns {{turn: TurnTrace, from: "end of speech" | "decision" | "message"}[]} */
  turns() {
    return this.records.map((record) => ({ turn: traceOf(record), from: zeroOf(record) })).reverse();
  }

  /** @param {string} responseId */
  record(responseId) {
    const known = this.records.findLast((each) => each.responseId === responseId);
    if (known) return known;
    /** @type {TurnRecord} */
    const record = {
      responseId,
      typed: false,
      itemId: null,
      decidedAt: null,
      firstTokenAt: null,
      firstAudioAt: null,
      heardAt: null,
      outcome: null,
      server: undefined,
    };
    this.records.push(record);
    if (this.records.length > TURNS_MAX) this.records.shift();
    return record;
  }
}

/** Without the server's trace, the page knows only when the end of speech was decided. @param {TurnRecord} record @returns {"end of speech" | "decision" | "message"} */
const zeroOf = (record) => (record.typed ? "message" : record.server ? "end of speech" : "decision");

/** @param {TurnRecord} record @returns {TurnTrace} */
function traceOf(record) {
  const { decidedAt, firstTokenAt, firstAudioAt, heardAt } = record;
  const since = (/** @type {number | null} */ at) => (at === null || decidedAt === null ? null : Math.round(at - decidedAt));
  if (!record.server) {
    return {
      response_id: record.responseId,
      item_id: record.itemId,
      decision_ms: decidedAt === null ? null : 0, // the page does not hear the end of speech, only the decision
      first_token_ms: since(firstTokenAt),
      first_audio_ms: since(firstAudioAt),
      first_heard_ms: since(heardAt),
      outcome: record.outcome ?? undefined,
    };
  }
  const audioMs = record.server.first_audio_ms;
  const untilHeard = heardAt !== null && firstAudioAt !== null ? Math.round(heardAt - firstAudioAt) : null;
  const heardMs = untilHeard !== null && audioMs !== null ? audioMs + untilHeard : null;
  return { ...record.server, first_heard_ms: record.server.first_heard_ms ?? heardMs };
}

/**
 * What is known of a turn, from two events about it: what the second one says counts, its nulls do not.
 * @param {TurnTrace | undefined} known @param {TurnTrace} update @returns {TurnTrace}
 */
export function mergeTurns(known, update) {
  if (!known) return update;
  const changed = Object.fromEntries(Object.entries(update).filter(([, value]) => value !== null && value !== undefined));
  return { ...known, ...changed, stages: { ...known.stages, ...update.stages } };
}
