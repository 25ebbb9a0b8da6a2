// @ts-check
/**
 * The page's one owner: it connects microphone, connection, conversation and loudspeaker.
 * It touches no element; a view is told that something changed, and reads.
 */

import { AudioInput } from "../audio/audio_input.js";
import { AudioOutput } from "../audio/audio_output.js";
import { Speaker } from "../audio/speaker.js";
import { delayMs } from "../connection/backoff.js";
import { RealtimeClient, fetchJson } from "../connection/client.js";
import { readinessOf } from "../connection/readiness.js";
import { missingExtensions, sessionUpdates } from "../connection/session_settings.js";
import { decodePcm } from "../conversation/base64.js";
import { Conversation } from "../conversation/conversation.js";
import { EventLog } from "../conversation/event_log.js";
import { TurnLog } from "../conversation/turn_log.js";
import { Ear } from "./ear.js";
import { Questions } from "./questions.js";
import { nextChangeAtMs } from "./view_state.js";

/** @typedef {import("../connection/client.js").ConnectionState} ConnectionState */
/** @typedef {import("../connection/client.js").Trouble} Trouble */
/** @typedef {import("../conversation/effects.js").Effect} Effect */
/** @typedef {import("../conversation/effects.js").WireEvent} WireEvent */
/** @typedef {import("../conversation/question.js").Question} Question */
/**
 * @typedef {{
 *   changed(): void, levels(): void, logged(): void, announced(text: string): void, noticed(text: string): void,
 *   unsent(questions: Question[]): void, keyRefused(): void, handedOver(token: string, untilMs: number): void}} View
 * @typedef {{token: string, talking: boolean, tokenIsKey: boolean}} SavedSession what it takes to resume one here
 */

const ASK_AGAIN_MS = 5_000; // a server that is not ready, whether it is by now
const MOVE_MS = 500; // within which the player says how far it came; the server waits for a second

export class App {
  /** @param {View} view @param {() => string | null} key */
  constructor(view, key) {
    this.view = view;
    this.key = key;
    this.conversation = new Conversation();
    this.log = new EventLog();
    this.turns = new TurnLog();
    this.voice = "";
    /** @type {ConnectionState} */
    this.connectionState = "off";
    /** @type {Trouble["reason"] | "moved" | "offered" | null} */
    this.trouble = null;
    this.troubleNote = "";
    /** @type {string | null} what the server says is not ready, while it says so */
    this.away = null;
    this.awayTimer = 0;
    this.awayUntilMs = 0; // then it is asked again
    /** @type {Conversation | null} what "Start afresh" has put away, to be brought back */
    this.putAway = null;
    /** @type {number | null} */
    this.retryAtMs = null;
    /** @type {number | null} when the connection was lost of a conversation that waits for the next one */
    this.lostAtMs = null;
    this.moveTimer = 0;
    /** @type {string | null} brings a conversation back that has moved away from here */
    this.returnToken = null;
    this.changeTimer = 0;
    this.started = performance.now();
    this.questions = new Questions(this);
    this.ear = new Ear(this);
    this.input = new AudioInput({
      captured: (pcm) => this.captured(pcm),
      track: (track) => this.client.listenTo(this.ear.isDeaf ? null : track),
      changed: () => this.changed(),
    });
    this.output = new AudioOutput(
      {
        played: (report) => this.played(report),
        levels: () => this.view.levels(),
        blocked: () => this.changed(),
        heard: (pcm) => this.heardOfServer(pcm),
      },
      (attempt) => delayMs(attempt, Math.random()),
    );
    this.client = new RealtimeClient(
      {
        received: (event) => this.received(event),
        sent: (event) => this.logEvent("sent", event),
        closed: () => this.disconnected(),
        expired: () => this.expired(),
        resumed: (event) => this.resumed(event),
        moved: () => this.moved(),
        opened: (transport) => this.serverPlays(transport === "webrtc"),
        sound: (stream) => this.output.remote.attach(stream),
        troubled: (trouble, retryInMs) => this.troubled(trouble, retryInMs),
        retrying: () => this.setConnectionState("connecting"),
      },
      key,
    );
  }

  get running() {
    return this.connectionState !== "off";
  }

  // What the user does ------------------------------------------------------------------

  /** Talk: microphone and connection at the same time, so that the first words are not lost. Call in a gesture. */
  async talk() {
    const starting = this.output.speaker.start();
    if (!this.running) this.connect();
    await this.input.start(starting);
    if (!this.running) this.input.stop(); // ended while the browser was asking
    this.changed();
  }

  /** @param {Question} question */
  ask(question) {
    this.questions.ask(question);
  }

  /** Go on without a microphone. */
  dismissMicrophoneTrouble() {
    this.input.trouble = null;
    this.changed();
  }

  end() {
    const stopping = this.conversation.stop();
    if (this.connectionState === "open") this.perform(stopping);
    this.perform(this.conversation.disconnected());
    this.output.speaker.flush();
    this.client.stop();
    this.goOffline();
  }

  /** No connection, and none wanted. */
  goOffline() {
    if (!this.ear.recorder.on) this.input.stop();
    this.soundLost();
    this.questions.disconnected();
    this.trouble = null;
    this.lostAtMs = null;
    this.connectionState = "off";
    this.view.levels();
    this.changed();
  }

  /** Go on with a conversation that another page began, or this one before it was loaded again. @param {SavedSession} session */
  async resume({ token, talking, tokenIsKey }) {
    this.client.resumption.token = token;
    this.client.tokenIsKey = tokenIsKey;
    this.lostAtMs = performance.now();
    if (talking) return this.talk();
    void this.output.speaker.start();
    this.connect();
    this.changed();
  }

  /** The page goes away, and may come back: the server waits. @returns {SavedSession & {untilMs: number} | null} */
  suspend() {
    const { token, graceMs } = this.client.resumption;
    if (!this.running || token === null) return null;
    this.client.suspend();
    const { tokenIsKey } = this.client;
    return { token, talking: this.input.on, tokenIsKey, untilMs: Date.now() + graceMs };
  }

  /** Forget what was said. */
  startOver() {
    this.end();
    this.conversation = new Conversation();
    this.putAway = null;
    this.changed();
  }

  /** The same, as long as nothing is said, with a way back. */
  startAfresh() {
    const { conversation } = this;
    this.startOver();
    this.putAway = conversation;
    this.changed();
  }

  get canBringBack() {
    return this.putAway !== null && this.conversation.lines.length === 0;
  }

  /** What was put away is the conversation again: the next session is told of it. */
  bringBack() {
    if (this.putAway === null || !this.canBringBack) return;
    this.end();
    this.conversation = this.putAway;
    this.putAway = null;
    this.changed();
  }

  stopAnswer() {
    this.perform(this.conversation.stop());
    this.changed();
  }

  /** Ask the server whether it is ready, and again while it is not. */
  async checkServer() {
    clearTimeout(this.awayTimer);
    const wasAway = this.away !== null;
    try {
      this.away = readinessOf((await fetchJson("readyz", this.key())).body).away;
    } catch {
      this.away = null; // not reachable: the connection says so when it is wanted
    }
    if (this.away !== null) {
      clearTimeout(this.awayTimer);
      this.awayTimer = window.setTimeout(() => void this.checkServer(), ASK_AGAIN_MS);
      this.awayUntilMs = performance.now() + ASK_AGAIN_MS;
    } else if (wasAway && this.connectionState === "open") {
      this.perform(this.conversation.requestAgain(performance.now()));
    }
    this.changed();
  }

  /** What is away, a screen names, and the question is asked again by itself; else the user asks again. */
  async explainFailure() {
    await this.checkServer();
    if (this.away === null) this.view.noticed("That answer could not be finished. Please ask again.");
  }

  /** Go on without what is away. */
  dismissAway() {
    clearTimeout(this.awayTimer);
    this.away = null;
    this.changed();
  }

  // What happens ------------------------------------------------------------------------

  connect() {
    this.trouble = null;
    this.client.start(() => [...sessionUpdates(Speaker.canPlay, this.voice), ...this.conversation.history(), ...this.openQuestion()]);
  }

  /** What was typed since then is asked instead. @returns {WireEvent[]} */
  openQuestion() {
    return this.questions.unsent.length > 0 ? [] : this.conversation.openQuestion(performance.now());
  }

  /** The server wants a key that the page does not have. @param {string} note */
  needsKey(note) {
    this.trouble = "key";
    this.troubleNote = note;
    this.retryAtMs = null;
    this.changed();
  }

  /** @param {WireEvent} event */
  received(event) {
    const now = performance.now();
    this.logEvent("received", event);
    this.turns.receive(event, now);
    this.conversation.sounds.receive(event, this.conversation.playingItem);
    this.output.receive(event, now);
    if (event.type === "session.created") this.established();
    if (event.type === "parlour.moved") this.moving(event.token ?? null);
    if (event.type === "parlour.hand_over_token") this.view.handedOver(event.token, event.expires_at * 1000);
    if (event.type === "parlour.going_away") this.view.noticed("The server restarts in a moment. The conversation goes on after it.");
    this.perform(this.conversation.receive(event, now));
    if (event.type === "response.done" && event.response.status === "failed") void this.explainFailure();
    this.changed();
  }

  established() {
    this.trouble = null;
    this.lostAtMs = null;
    this.returnToken = null;
    this.output.speaker.serverIsThere();
    this.setConnectionState("open");
    void this.checkServer();
    this.questions.connected();
  }

  /** @param {boolean} whether over this connection the server plays, and not this page */
  serverPlays(whether) {
    this.conversation.serverPlays = whether;
    this.output.setServerPlays(whether);
  }

  /** Sound that the server plays ends with the connection. */
  soundLost() {
    if (!this.conversation.serverPlays) return;
    this.output.connectionLost();
    this.conversation.playingItem = null;
    this.view.levels();
  }

  disconnected() {
    if (this.moveTimer !== 0) return this.moved(); // what goes on elsewhere is not lost
    this.soundLost();
    if (this.client.resumable) this.lostAtMs = performance.now();
    else this.perform(this.conversation.disconnected());
    this.setConnectionState("waiting");
  }

  /** @param {WireEvent} event */
  resumed(event) {
    this.logEvent("received", event);
    this.output.receive(event, performance.now());
    this.conversation.sounds.receive(event, null);
    this.perform(this.conversation.resumed(event));
    this.established();
    for (const update of missingExtensions(event.session)) this.client.send(update);
  }

  /** The conversation that was waited for is not there any more. */
  expired() {
    this.perform(this.conversation.disconnected());
    if (this.conversation.lines.length > 0) return; // what this page knows of it goes on
    this.view.noticed("That conversation is not there any more: it has moved already, or its time is over. This is a new one.");
  }

  /** The conversation is about to leave: its player says how far it came. @param {string | null} returnToken */
  moving(returnToken) {
    this.returnToken = returnToken;
    this.moveTimer = window.setTimeout(() => this.moved(), MOVE_MS);
  }

  /** The conversation is on another device now. */
  moved() {
    clearTimeout(this.moveTimer);
    this.moveTimer = 0;
    this.client.stop();
    this.perform(this.conversation.disconnected());
    this.goOffline();
    this.showElsewhere("moved");
  }

  /** @param {"moved" | "offered"} why the conversation is not here, and nothing is tried */
  showElsewhere(why) {
    this.trouble = why;
    this.troubleNote = "";
    this.retryAtMs = null;
    this.changed();
  }

  /** @param {Trouble} trouble @param {number | null} retryInMs */
  troubled(trouble, retryInMs) {
    if (retryInMs === null) {
      this.end();
      if (trouble.keyRefused) this.view.keyRefused();
      this.needsKey(trouble.keyRefused ? "The last one was not accepted." : "");
      return;
    }
    this.trouble = trouble.reason;
    this.troubleNote = trouble.reason === "warming" ? trouble.detail : "";
    this.retryAtMs = performance.now() + retryInMs;
    this.setConnectionState("waiting");
  }

  /** @param {Int16Array} pcm */
  captured(pcm) {
    this.ear.captured(pcm);
    this.view.levels();
  }

  /** What the server plays, as it is heard. @param {Int16Array} pcm */
  heardOfServer(pcm) {
    const { playingItem, sounds } = this.conversation;
    if (playingItem !== null) sounds.answered(playingItem, pcm);
  }

  /** @param {import("../conversation/playback.js").PlaybackReport} event */
  played(event) {
    const now = performance.now();
    if (event.kind === "started") this.turns.heard(event.item, now);
    if (event.kind !== "progress") this.client.call?.setAnswerPlaying(event.kind === "started");
    this.perform(this.conversation.played(event, now));
    // What the server has played is in the browser's buffer, and is to be heard too.
    if (event.kind === "flushed" && this.moveTimer !== 0 && !this.conversation.serverPlays) this.moved();
    this.changed();
  }

  /** @param {Effect[]} effects */
  perform(effects) {
    for (const effect of effects) {
      switch (effect.kind) {
        case "play":
          this.conversation.sounds.answered(effect.item, decodePcm(effect.audio));
          this.output.speaker.play(effect.item, effect.audio);
          break;
        case "end":
          this.output.speaker.end(effect.item);
          break;
        case "flush":
          this.output.flush();
          break;
        case "send":
          this.client.send(effect.event);
          break;
        case "upload":
          this.questions.upload();
          break;
        case "announce":
          this.view.announced(effect.text);
          break;
        case "notice":
          this.view.noticed(effect.text);
      }
    }
  }

  /** @param {ConnectionState} state */
  setConnectionState(state) {
    this.connectionState = state;
    this.changed();
  }

  /** @param {"sent" | "received"} way @param {WireEvent} event */
  logEvent(way, event) {
    this.log.add(way, event, performance.now() - this.started);
    this.view.logged();
  }

  changed() {
    clearTimeout(this.changeTimer);
    const nowMs = performance.now();
    const next = nextChangeAtMs(this, nowMs);
    if (next < Infinity) this.changeTimer = window.setTimeout(() => this.changed(), next - nowMs + 1);
    this.view.changed();
  }
}
