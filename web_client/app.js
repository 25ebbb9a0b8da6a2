// @ts-check
/**
 * The page's one owner: it connects microphone, connection, conversation and loudspeaker, and knows which face to
 * show. It touches no element; a view is told that something changed, and reads.
 */

import { RealtimeClient } from "./client.js";
import { Conversation } from "./conversation.js";
import { EventLog } from "./event_log.js";
import { Microphone, MicrophoneError } from "./microphone.js";
import { Speaker } from "./speaker.js";
import { TurnLog } from "./turns.js";

/** @typedef {import("./client.js").Trouble} Trouble */
/** @typedef {import("./conversation.js").Effect} Effect */
/** @typedef {import("./conversation.js").WireEvent} WireEvent */
/** @typedef {import("./microphone.js").MicrophoneTrouble} MicrophoneTrouble */
/** @typedef {import("./shape.js").Face} Face */
/**
 * @typedef {{
 *   changed(): void, levels(): void, logged(): void, announced(text: string): void, noticed(text: string): void,
 *   unsent(text: string): void, keyRefused(): void}} View
 * @typedef {"off" | "connecting" | "open" | "waiting"} Link
 * @typedef {{name: import("./screens.js").ScreenName, note: string, retryAtMs: number | null}} Obstacle
 */

const ASKING_SHOWS_MS = 500; // a browser that answers sooner has asked nobody

export class App {
  /** @param {View} view @param {() => string | null} key */
  constructor(view, key) {
    this.view = view;
    this.conversation = new Conversation();
    this.log = new EventLog();
    this.turns = new TurnLog();
    this.voice = "";
    /** @type {Link} */
    this.link = "off";
    /** @type {Trouble["reason"] | null} */
    this.trouble = null;
    this.troubleNote = "";
    /** @type {number | null} */
    this.retryAtMs = null;
    /** @type {symbol | null} the wish for the microphone that the browser has not answered yet */
    this.asking = null;
    this.askingSince = Infinity; // before that there is still something to load
    this.lookAgain = 0;
    /** @type {MicrophoneTrouble | null} */
    this.microphoneTrouble = null;
    this.soundBlocked = false;
    this.microphoneLevel = 0;
    this.speakerLevel = 0;
    this.bufferedMs = 0;
    this.underruns = 0;
    this.refusedMs = 0;
    this.started = performance.now();
    /** @type {string[]} typed before the connection stood */
    this.unsent = [];
    this.microphone = new Microphone(
      (pcm, level) => this.captured(pcm, level),
      (trouble) => this.lostMicrophone(trouble),
    );
    this.speaker = new Speaker({
      played: (event) => this.played(event),
      status: (status) => this.soundStatus(status),
      blocked: (blocked) => this.soundChanged(blocked),
    });
    this.client = new RealtimeClient(
      {
        opened: () => {},
        received: (event) => this.received(event),
        sent: (event) => this.logEvent("sent", event),
        closed: () => this.disconnected(),
        troubled: (trouble, retryInMs) => this.troubled(trouble, retryInMs),
        retrying: () => this.linkIs("connecting"),
      },
      key,
    );
  }

  get running() {
    return this.link !== "off";
  }

  /** The browser asks the user whether the page may listen, and waits for the answer. */
  get askingUser() {
    return this.asking !== null && performance.now() - this.askingSince >= ASKING_SHOWS_MS;
  }

  /** What is in the way and needs a screen: the connection before the microphone before the sound. @returns {Obstacle | null} */
  get obstacle() {
    if (this.trouble !== null) return { name: this.trouble, note: this.troubleNote, retryAtMs: this.retryAtMs };
    if (this.microphoneTrouble !== null) return { name: `microphone-${this.microphoneTrouble}`, note: "", retryAtMs: null };
    if (this.running && this.soundBlocked) return { name: "audio-blocked", note: "", retryAtMs: null };
    return null;
  }

  /** What the shape and the word show. @returns {Face} */
  get face() {
    if (this.trouble === null && this.obstacle !== null) return "failed";
    switch (this.link) {
      case "off":
        return this.trouble === null ? "ready" : "failed";
      case "connecting":
        return "connecting";
      case "waiting":
        return this.trouble === "warming" ? "connecting" : "failed";
      case "open": {
        const activity = this.conversation.activity(performance.now());
        if (activity !== "listening") return activity;
        if (!this.microphone.on) return this.asking === null ? "ready" : "connecting";
        return this.microphone.muted ? "muted" : "listening";
      }
    }
  }

  // What the user does ------------------------------------------------------------------

  /** Talk: microphone and connection at the same time, so that the first words are not lost. Call in a gesture. */
  async talk() {
    this.microphoneTrouble = null;
    const asking = Symbol("microphone");
    this.asking = asking;
    this.askingSince = Infinity;
    const starting = this.speaker.start();
    if (!this.running) this.connect();
    this.changed();
    try {
      const context = await starting;
      if (context === null) throw new MicrophoneError("insecure");
      if (this.asking !== asking) return; // ended, or asked anew, before there was sound
      this.askingSince = performance.now();
      this.changed();
      await this.microphone.start(context);
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      if (this.asking === asking) this.lostMicrophone(error.trouble);
    } finally {
      if (this.asking === asking) this.asking = null;
      if (!this.running) this.microphone.stop(); // ended while the browser was asking
      this.changed();
    }
  }

  /** @param {string} text */
  type(text) {
    void this.speaker.start();
    if (!this.running) this.connect();
    if (this.link === "open") this.sendText(text);
    else this.unsent.push(text);
    this.changed();
  }

  /** Go on without a microphone. */
  writeInstead() {
    this.microphoneTrouble = null;
    this.changed();
  }

  end() {
    if (this.link === "open") this.perform(this.conversation.stop());
    this.perform(this.conversation.disconnected());
    this.speaker.flush();
    this.client.stop();
    this.microphone.stop();
    this.asking = null;
    if (this.unsent.length > 0) this.view.unsent(this.unsent.splice(0).join(" "));
    this.trouble = null;
    this.microphoneTrouble = null;
    this.microphoneLevel = 0;
    this.link = "off";
    this.changed();
  }

  /** Forget what was said. */
  startAfresh() {
    this.end();
    this.conversation = new Conversation();
    this.changed();
  }

  stopAnswer() {
    this.perform(this.conversation.stop());
    this.changed();
  }

  toggleMute() {
    if (!this.microphone.on) return;
    this.microphone.setMuted(!this.microphone.muted);
    if (this.microphone.muted) this.microphoneLevel = 0;
    this.changed();
  }

  // What happens ------------------------------------------------------------------------

  connect() {
    this.trouble = null;
    this.client.start(() => [...this.sessionUpdates(), ...this.conversation.history()]);
  }

  /** The server wants a key that the page does not have. @param {string} note */
  needsKey(note) {
    this.trouble = "key";
    this.troubleNote = note;
    this.retryAtMs = null;
    this.changed();
  }

  /** The extensions are asked for apart: a server that does not know them refuses them alone. @returns {WireEvent[]} */
  sessionUpdates() {
    const format = { type: "audio/pcm", rate: 24_000 };
    const output = this.voice ? { format, voice: this.voice } : { format };
    const audio = { input: { format, transcription: { model: "default" } }, output };
    const modality = Speaker.canPlay ? "audio" : "text";
    const parlour = { playback_ack: true, alignment: true, trace: true };
    return [
      { type: "session.update", session: { type: "realtime", output_modalities: [modality], audio } },
      { type: "session.update", event_id: "parlour_extensions", session: { type: "realtime", parlour } },
    ];
  }

  /** @param {WireEvent} event */
  received(event) {
    const now = performance.now();
    this.logEvent("received", event);
    this.turns.receive(event, now);
    if (event.type === "session.created") this.established();
    this.perform(this.conversation.receive(event, now));
    this.changed();
  }

  established() {
    this.trouble = null;
    this.speaker.serverIsThere();
    this.linkIs("open");
    for (const text of this.unsent.splice(0)) this.sendText(text);
  }

  /** @param {string} text */
  sendText(text) {
    const now = performance.now();
    this.turns.typed(now);
    this.perform(this.conversation.typed(text, `item_${crypto.getRandomValues(new Uint32Array(3)).join("")}`, now));
  }

  disconnected() {
    this.perform(this.conversation.disconnected());
    this.linkIs("waiting");
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
    this.linkIs("waiting");
  }

  /** @param {Int16Array} pcm @param {number} level */
  captured(pcm, level) {
    if (!this.running) return;
    this.client.sendAudio(pcm);
    this.microphoneLevel = loudness(level);
    this.view.levels();
  }

  /** @param {MicrophoneTrouble} trouble */
  lostMicrophone(trouble) {
    this.microphoneLevel = 0;
    this.microphoneTrouble = trouble;
    this.changed();
  }

  /** @param {import("./player.js").PlayerEvent} event */
  played(event) {
    const now = performance.now();
    if (event.kind === "started") this.turns.heard(event.item, now);
    this.underruns = event.underruns;
    this.perform(this.conversation.played(event, now));
    this.changed();
  }

  /** @param {import("./playback_worklet.js").PlaybackStatus} status */
  soundStatus(status) {
    this.speakerLevel = status.sounding ? loudness(status.level) : 0;
    this.bufferedMs = status.bufferedMs;
    this.underruns = status.underruns;
    this.refusedMs = status.refusedMs;
    this.view.levels();
  }

  /** @param {boolean} blocked */
  soundChanged(blocked) {
    if (blocked === this.soundBlocked) return;
    this.soundBlocked = blocked;
    this.changed();
  }

  /** @param {Effect[]} effects */
  perform(effects) {
    for (const effect of effects) {
      switch (effect.kind) {
        case "play":
          this.speaker.play(effect.item, effect.audio);
          break;
        case "end":
          this.speaker.end(effect.item);
          break;
        case "flush":
          this.speaker.flush();
          break;
        case "send":
          this.client.send(effect.event);
          break;
        case "announce":
          this.view.announced(effect.text);
          break;
        case "notice":
          this.view.noticed(effect.text);
      }
    }
  }

  /** @param {Link} link */
  linkIs(link) {
    this.link = link;
    this.changed();
  }

  /** @param {"sent" | "received"} way @param {WireEvent} event */
  logEvent(way, event) {
    this.log.add(way, event, performance.now() - this.started);
    this.view.logged();
  }

  changed() {
    clearTimeout(this.lookAgain);
    const nowMs = performance.now();
    const dueMs = [this.conversation.owedUntilMs, this.asking && this.askingSince + ASKING_SHOWS_MS];
    const next = Math.min(...dueMs.map((due) => (due !== null && due > nowMs ? due : Infinity)));
    // Some faces end with time alone; without this look they would stay until something else happens.
    if (next < Infinity) this.lookAgain = window.setTimeout(() => this.changed(), next - nowMs + 1);
    this.view.changed();
  }
}

const QUIETEST_DB = -60;
const LOUDEST_DB = -12;

/** A level (root mean square, 0 to 1) as the ear takes it, 0 to 1. @param {number} level */
export function loudness(level) {
  if (level <= 0) return 0;
  const decibels = 20 * Math.log10(level);
  return Math.max(0, Math.min(1, (decibels - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)));
}
