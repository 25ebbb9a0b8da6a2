// @ts-check
/**
 * The conversation as the page knows it: who said what, and how much of it was heard. Pure: server events, the
 * player's reports and the time come in; effects (play this, stop, send that) come out.
 *
 * An answer's text is ahead of its sound. What of it counts as said is decided by the sound that was heard; what
 * was cut off stays on the page, struck through, and is not part of the conversation any more.
 */

import { asked, clipWords, itemTaken, itemsAgain, refused } from "./asking.js";
import { sampleCount } from "./base64.js";
import { send } from "./effects.js";
import { announce, heardByServer, interrupt, played, truncatedByServer } from "./playback.js";
import { beginResync, missingAudio, restartText, resyncItem } from "./resync.js";
import { isAsked, isUnheard, newLine, spokenText } from "./transcript_line.js";
import { TurnSounds } from "./turn_sounds.js";

/** @typedef {import("./effects.js").Effect} Effect */
/** @typedef {import("./effects.js").WireEvent} WireEvent */
/** @typedef {"listening" | "hearing" | "thinking" | "speaking"} Activity */
/** @typedef {import("./transcript_line.js").TranscriptLine} TranscriptLine */

export const THINKING_AT_MOST_MS = 20_000; // speech without words gets no answer: do not think for ever
const REMEMBERED_RESPONSES = 64; // ended ones, whose late events are dropped
const REPLAYED_LINES = 40; // told to the server again after a lost connection
const QUIET_ERRORS = ["response_cancel_not_active"]; // a race that both sides know of
const ALREADY_ANSWERING = "conversation_already_has_active_response"; // another such race
const REQUEST = { type: "response.create" };

export class Conversation {
  constructor() {
    /** @type {TranscriptLine[]} */
    this.lines = [];
    this.userSpeaking = false;
    /** @type {string | null} the response that is being produced */
    this.active = null;
    /** @type {string[]} */
    this.ended = [];
    /** @type {number | null} an answer is owed until then */
    this.owedUntilMs = null;
    /** @type {string | null} the item being heard */
    this.playingItem = null;
    this.interruptible = true;
    this.acknowledges = true;
    this.serverPlays = false; // and knows what was heard: nothing is reported to it, and it truncates by itself
    this.lastPlaybackMs = 0;
    this.cancelNext = false; // stopped before the response that is owed was there
    this.requested = false; // a response was asked for, and has not been created yet
    this.requestWaits = false; // one is to be asked for as soon as another one has ended
    this.unanswered = false; // of the answer to what the user asked last, nothing was heard or read
    this.failed = false; // and it came to an end like that
    this.reasoning = false; // the model thinks before it says a word
    this.resyncing = false;
    /** @type {Map<string, number>} of a resync: the items that are being heard, and how much of each was, in ms */
    this.heardMsOfPlaying = new Map();
    this.leaving = false; // it goes on elsewhere: what stops here is not cut off
    this.sounds = new TurnSounds();
    /** @type {import("./question.js").Upload[]} questions with clips, and what was asked after them, that the server has not got yet */
    this.uploads = [];
    /** @type {Map<string, {line: TranscriptLine, places: {clip: number, part: number}[]}>} of items with clips: whose they are */
    this.clipItems = new Map();
  }

  /** @param {number} nowMs @returns {Activity} */
  activity(nowMs) {
    if (this.userSpeaking) return "hearing";
    if (this.playingItem !== null) return "speaking";
    if (this.uploads.length > 0) return "thinking";
    if (this.active !== null || (this.owedUntilMs !== null && nowMs < this.owedUntilMs)) return "thinking";
    return "listening";
  }

  /** @param {WireEvent} event from the server @param {number} nowMs @returns {Effect[]} */
  receive(event, nowMs) {
    switch (event.type) {
      case "session.created":
        this.resyncing = false;
        this.leaving = false;
        return [];
      case "session.updated":
        this.settings(event.session);
        return [];
      case "parlour.moved":
        this.leaving = true;
        this.unanswered = false; // it is answered there
        return [{ kind: "flush" }];
      case "input_audio_buffer.speech_started":
        this.userSpeaking = true;
        this.cancelNext = false;
        this.unanswered = false;
        this.failed = false;
        this.line(event.item_id, "user");
        return this.interruptible ? interrupt(this) : [];
      case "input_audio_buffer.speech_stopped":
        this.userSpeaking = false;
        this.expectAnswer(nowMs);
        return [];
      case "conversation.item.added":
        return [...this.itemAdded(event.item), ...itemTaken(this, event.item.id, nowMs)];
      case "conversation.item.input_audio_transcription.delta":
        if (!this.clipItems.has(event.item_id)) this.line(event.item_id, "user").text += event.delta ?? "";
        return [];
      case "conversation.item.input_audio_transcription.completed":
        return this.userWords(event.item_id, event.transcript, event.content_index);
      case "conversation.item.input_audio_transcription.failed":
        return this.userWords(event.item_id, "", event.content_index);
      case "response.created":
        return this.responseCreated(event.response.id);
      case "response.output_item.added":
        if (event.item?.type === "message" && this.isLive(event)) this.answerAdded(event);
        return [];
      case "response.output_audio_transcript.delta":
        if (this.isLive(event)) this.answer(event.item_id, event.response_id).text += event.delta;
        this.reasoning = false;
        return [];
      case "response.output_text.delta":
        return this.textDelta(event);
      case "response.output_audio.delta":
        return this.audioDelta(event);
      case "response.output_audio.done":
        return this.audioDone(event);
      case "parlour.thinking":
        return this.thinking(event);
      case "response.done":
        return this.responseDone(event.response);
      case "parlour.alignment":
        this.find(event.item_id)?.marks.push({ audioEndMs: event.audio_end_ms, textEnd: event.text_end });
        return [];
      case "conversation.item.truncated":
        return truncatedByServer(this, event);
      case "parlour.heard":
        return heardByServer(this, event);
      case "error":
        return this.errorReceived(event.error ?? {});
      default:
        return [];
    }
  }

  /** @param {import("./playback.js").PlaybackReport} report @param {number} nowMs @returns {Effect[]} */
  played(report, nowMs) {
    return played(this, report, nowMs);
  }

  /** The user typed something. @param {string} text @param {string} itemId @param {number} nowMs @returns {Effect[]} */
  typed(text, itemId, nowMs) {
    return this.asked({ text, clips: [] }, itemId, nowMs);
  }

  /** The user asks, about clips too. @param {import("./question.js").Question} question @param {string} itemId @param {number} nowMs @returns {Effect[]} */
  asked(question, itemId, nowMs) {
    return asked(this, question, itemId, nowMs);
  }

  /** An answer is owed, from now on for so long. @param {number} nowMs */
  expectAnswer(nowMs) {
    this.unanswered = true;
    this.owedUntilMs = nowMs + THINKING_AT_MOST_MS;
  }

  /** Ask for an answer, at once or after the one that is still ending. @returns {Effect[]} */
  request() {
    this.failed = false;
    this.requestWaits = this.active !== null || this.requested;
    if (this.requestWaits) return [];
    this.requested = true;
    return [send(REQUEST)];
  }

  /** Ask again for an answer that could not be given. @param {number} nowMs @returns {Effect[]} */
  requestAgain(nowMs) {
    if (!this.failed) return [];
    this.expectAnswer(nowMs);
    return this.request();
  }

  /** The user wants the answer to end, and does not ask what is not asked yet. @returns {Effect[]} */
  stop() {
    this.uploads = [];
    return this.interruptAnswer();
  }

  /** @returns {Effect[]} */
  interruptAnswer() {
    this.cancelNext = this.active === null && this.owedUntilMs !== null;
    this.owedUntilMs = null;
    this.requestWaits = false;
    this.unanswered = false;
    this.failed = false;
    const cancel = this.active === null ? [] : [send({ type: "response.cancel" })];
    const silence = this.serverPlays && this.playingItem !== null ? [send({ type: "output_audio_buffer.clear" })] : [];
    return [...cancel, ...silence, ...interrupt(this)];
  }

  /** There is something that `stop` would end. @param {number} nowMs */
  answering(nowMs) {
    return this.uploads.length > 0 || this.playingItem !== null || this.active !== null || (this.owedUntilMs ?? 0) > nowMs;
  }

  /** The connection is gone, and with it whatever was under way. @returns {Effect[]} */
  disconnected() {
    this.userSpeaking = false;
    this.owedUntilMs = null;
    this.requested = false;
    this.requestWaits = false;
    this.reasoning = false;
    this.cancelNext = false;
    const effects = interrupt(this);
    this.active = null;
    this.uploads = []; // the next session is told of them with the rest
    this.lines = this.lines.filter((line) => line.role === "assistant" || isAsked(line));
    for (const line of this.lines) {
      line.final = true;
      line.isPast = true;
      if (line.role === "assistant" && isUnheard(line)) line.cutAt ??= 0;
    }
    return effects;
  }

  /** The conversation goes on over another connection. @param {WireEvent} event parlour.resumed @returns {Effect[]} */
  resumed(event) {
    this.settings(event.session);
    if (event.replayed) return [];
    return beginResync(this, event);
  }

  /**
   * What a new session is asked: what the one before it was, and did not answer.
   * @param {number} nowMs @returns {WireEvent[]}
   */
  openQuestion(nowMs) {
    const last = this.lines.findLast((line) => spokenText(line).trim() !== "");
    if (!this.unanswered || last?.role !== "user") return [];
    this.requested = true;
    this.owedUntilMs = nowMs + THINKING_AT_MOST_MS;
    return [REQUEST];
  }

  /** Tell a new session what was said, as far as it was heard. @returns {WireEvent[]} */
  history() {
    return this.lines
      .filter((line) => line.clips.length > 0 || spokenText(line).trim() !== "")
      .slice(-REPLAYED_LINES)
      .flatMap(itemsAgain)
      .map((item) => ({ type: "conversation.item.create", item }));
  }

  // What events mean --------------------------------------------------------------------

  /** @param {{id: string, type: string, role?: string, content?: any[]}} item @returns {Effect[]} */
  itemAdded(item) {
    if (this.resyncing) {
      if (!this.clipItems.has(item.id)) resyncItem(this, item);
      return [];
    }
    if (item.type !== "message" || item.role !== "user" || this.find(item.id) || this.clipItems.has(item.id)) return [];
    const text = (item.content ?? []).map((part) => part.text ?? part.transcript ?? "").join(" ");
    const isSpeech = (item.content ?? []).some((part) => part.type === "input_audio");
    if (!isSpeech) return []; // the page's own words, told again after a lost connection
    this.line(item.id, "user").text = text;
    return [];
  }

  /** @param {string} itemId @param {string} transcript @param {number} index of the part @returns {Effect[]} */
  userWords(itemId, transcript, index) {
    if (this.clipItems.has(itemId)) return clipWords(this, itemId, transcript, index);
    const line = this.line(itemId, "user");
    line.text = transcript.trim();
    line.final = true;
    if (line.text === "" && this.active === null && !this.requested) this.nothingAsked();
    return announce(line);
  }

  /** No answer comes, and none is missed. */
  nothingAsked() {
    this.owedUntilMs = null;
    this.unanswered = false;
  }

  /** @param {WireEvent} event parlour.thinking @returns {Effect[]} */
  thinking(event) {
    if (this.reasoning || this.active === null || (event.response_id ?? this.active) !== this.active) return [];
    this.reasoning = true;
    return [{ kind: "announce", text: "Parlour is thinking." }];
  }

  /** @param {WireEvent | undefined} session */
  settings(session) {
    this.interruptible = session?.audio?.input?.turn_detection?.interrupt_response !== false;
  }

  /** @param {WireEvent} event */
  answerAdded(event) {
    const line = this.answer(event.item.id, event.response_id);
    if (this.resyncing) restartText(line);
  }

  /** @param {WireEvent} event @returns {Effect[]} */
  textDelta(event) {
    if (!this.isLive(event)) return [];
    const line = this.answer(event.item_id, event.response_id);
    line.text += event.delta;
    line.heardAll = true; // nothing to hear: it is said when it is read
    this.reasoning = false;
    this.unanswered = false;
    return [];
  }

  /** @param {WireEvent} event @returns {Effect[]} */
  audioDelta(event) {
    if (!this.isLive(event)) return [];
    const line = this.answer(event.item_id, event.response_id);
    const audio = missingAudio(line, event.delta);
    if (audio === null || line.cutAt !== null) return [];
    line.audioMs += sampleCount(audio) / 24;
    return [{ kind: "play", item: line.id, audio }];
  }

  /** @param {WireEvent} event @returns {Effect[]} */
  audioDone(event) {
    if (!this.isLive(event)) return [];
    this.answer(event.item_id, event.response_id).audioEnded = true;
    return [{ kind: "end", item: event.item_id }];
  }

  /** @param {string} id @returns {Effect[]} */
  responseCreated(id) {
    this.active = id;
    this.owedUntilMs = null;
    this.requested = false;
    this.reasoning = false;
    this.failed = false;
    if (!this.cancelNext) return [];
    this.cancelNext = false;
    this.remember(id);
    return [send({ type: "response.cancel" })];
  }

  /** @param {WireEvent} response @returns {Effect[]} */
  responseDone(response) {
    this.remember(response.id);
    if (this.active === response.id) this.active = null;
    this.reasoning = false;
    if (!this.requestWaits && !this.requested) this.answered(response);
    /** @type {Effect[]} */
    const effects = [];
    for (const line of this.lines.filter((each) => each.responseId === response.id)) {
      line.final = true;
      if (!line.audioEnded && line.audioMs > 0) effects.push({ kind: "end", item: line.id });
      line.audioEnded = true;
      if (response.status === "failed") line.failure = response.status_details?.error?.message ?? "unknown error";
      // A cancelled answer of which no sound came was not said at all.
      if (response.status === "cancelled" && isUnheard(line)) line.cutAt ??= 0;
      effects.push(...announce(line));
    }
    if (this.requestWaits) effects.push(...this.request());
    return effects;
  }

  /** Made to its end, and over a call to be heard yet; or there will be no answer. @param {WireEvent} response */
  answered(response) {
    const toBeHeard = this.lines.some((line) => line.responseId === response.id && line.text !== "" && isUnheard(line));
    if (response.status === "completed" && toBeHeard) return;
    this.failed = this.unanswered && response.status === "failed";
    this.unanswered = false;
  }

  /** @param {{code?: string, message?: string, event_id?: string}} error @returns {Effect[]} */
  errorReceived(error) {
    if (error.event_id?.startsWith("parlour_")) {
      this.acknowledges = false; // a server without the extensions: nothing is lost but exactness
      return [];
    }
    if (QUIET_ERRORS.includes(error.code ?? "")) return [];
    const [upload] = this.uploads;
    if (upload?.isRefusal(error.event_id ?? "")) return refused(this, upload, error.message ?? "unknown error");
    this.requested = false;
    if (error.code === ALREADY_ANSWERING) return this.answerGoesFirst();
    /** @type {Effect} */
    const notice = { kind: "notice", text: `The server says: ${error.message ?? "unknown error"}` };
    if (this.active === null && this.requestWaits) return [notice, ...this.request()];
    if (this.active === null) this.nothingAsked();
    return [notice];
  }

  /** What was asked for while the answer to something else was on its way is asked for after that. @returns {Effect[]} */
  answerGoesFirst() {
    if (this.active === null) return this.request();
    this.requestWaits = true;
    return [send({ type: "response.cancel" }), ...interrupt(this)];
  }

  // Lines -------------------------------------------------------------------------------

  /** Whether an event belongs to a response whose words and sound still count. @param {WireEvent} event */
  isLive(event) {
    return !this.ended.includes(event.response_id);
  }

  /** @param {string} responseId */
  remember(responseId) {
    if (this.ended.includes(responseId)) return;
    this.ended.push(responseId);
    if (this.ended.length > REMEMBERED_RESPONSES) this.ended.shift();
  }

  /** @param {string} id */
  find(id) {
    return this.lines.findLast((line) => line.id === id);
  }

  /** @param {string} id @param {string} responseId */
  answer(id, responseId) {
    const line = this.line(id, "assistant");
    line.responseId = responseId;
    return line;
  }

  /** @param {string} id @param {"user" | "assistant"} role @returns {TranscriptLine} */
  line(id, role) {
    const known = this.find(id);
    if (known) return known;
    const line = newLine(id, role);
    line.playedByServer = this.serverPlays;
    this.lines.push(line);
    return line;
  }
}
