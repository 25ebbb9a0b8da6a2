// @ts-check
/**
 * The page's one owner: it connects microphone, connection, conversation and loudspeaker, and knows which face to
 * show. It touches no element; a view is told that something changed, and reads.
 */

import { RealtimeClient } from "./client.js";
import { Conversation } from "./conversation.js";
import { EventLog } from "./event_log.js";
import { loudness } from "./loudness.js";
import { Microphone, MicrophoneError } from "./microphone.js";
import { RemoteSound } from "./remote_sound.js";
import { ServerPlayout } from "./server_playout.js";
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
 *   unsent(text: string): void, keyRefused(): void, handedOver(token: string, untilMs: number): void}} View
 * @typedef {"off" | "connecting" | "open" | "waiting"} Link
 * @typedef {{name: import("./screens.js").ScreenName, note: string, retryAtMs: number | null}} Obstacle
 * @typedef {{token: string, talking: boolean, tokenIsKey: boolean}} Left what goes on with a conversation
 */

const ASKING_SHOWS_MS = 500; // a browser that answers sooner has asked nobody
const PATIENCE_MS = 6_000; // a network that is back within this has troubled nobody
const FOLLOWING_MS = 50; // how often one looks how far the server has played
const PARTING_MS = 500; // within which the player says how far it came; the server waits for a second

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
    /** @type {Trouble["reason"] | "moved" | "offered" | null} */
    this.trouble = null;
    this.troubleNote = "";
    /** @type {number | null} */
    this.retryAtMs = null;
    /** @type {number | null} when the connection was lost of a conversation that waits for the next one */
    this.lostAtMs = null;
    this.parting = 0;
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
      (track) => this.client.listenTo(track),
    );
    this.playout = new ServerPlayout();
    this.remote = new RemoteSound();
    this.following = 0;
    this.speaker = new Speaker({
      played: (event) => this.played(event),
      status: (status) => this.soundStatus(status),
      blocked: (blocked) => this.soundChanged(blocked),
    });
    this.client = new RealtimeClient(
      {
        received: (event) => this.received(event),
        sent: (event) => this.logEvent("sent", event),
        closed: () => this.disconnected(),
        forgotten: () => this.forgotten(),
        resumed: (event) => this.resumed(event),
        moved: () => this.moved(),
        opened: (way) => this.serverPlays(way === "webrtc"),
        sound: (stream) => this.remote.attach(stream),
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

  /** The connection is being restored, and will be before anyone has to know: what was heard before is still heard. */
  get restoring() {
    if (this.lostAtMs === null || this.link === "open" || !(this.trouble === null || this.trouble === "lost")) return false;
    return this.conversation.sounding !== null || performance.now() < this.lostAtMs + PATIENCE_MS;
  }

  /** What is in the way and needs a screen: the connection before the microphone before the sound. @returns {Obstacle | null} */
  get obstacle() {
    if (this.trouble !== null && !this.restoring) return { name: this.trouble, note: this.troubleNote, retryAtMs: this.retryAtMs };
    if (this.microphoneTrouble !== null) return { name: `microphone-${this.microphoneTrouble}`, note: "", retryAtMs: null };
    if (this.running && this.soundBlocked) return { name: "audio-blocked", note: "", retryAtMs: null };
    return null;
  }

  /** What the shape and the word show. @returns {Face} */
  get face() {
    if (this.trouble === null && this.obstacle !== null) return "failed";
    if (this.restoring) return this.conversation.sounding === null ? "connecting" : "speaking";
    switch (this.link) {
      case "off":
        return this.trouble === null || this.trouble === "moved" || this.trouble === "offered" ? "ready" : "failed";
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
    this.rest();
  }

  /** No connection, and none wanted. */
  rest() {
    this.soundLost();
    this.trouble = null;
    this.lostAtMs = null;
    this.microphoneTrouble = null;
    this.microphoneLevel = 0;
    this.link = "off";
    this.changed();
  }

  /** Go on with a conversation that another page began, or this one before it was loaded again. @param {Left} left */
  async comeBack({ token, talking, tokenIsKey }) {
    this.client.resumption.token = token;
    this.client.tokenIsKey = tokenIsKey;
    this.lostAtMs = performance.now();
    if (talking) return this.talk();
    void this.speaker.start();
    this.connect();
    this.changed();
  }

  /** The page goes away, and may come back: the server waits. @returns {Left & {untilMs: number} | null} */
  leave() {
    const { token, graceMs } = this.client.resumption;
    if (!this.running || token === null) return null;
    this.client.suspend();
    const { tokenIsKey } = this.client;
    return { token, talking: this.microphone.on, tokenIsKey, untilMs: Date.now() + graceMs };
  }

  /** Forget what was said. */
  startAfresh() {
    this.end();
    this.conversation = new Conversation();
    this.changed();
  }

  /** @param {string} deviceId "" is the system's choice */
  async chooseSpeaker(deviceId) {
    await this.speaker.choose(deviceId);
    await this.remote.choose(deviceId);
  }

  /** In a gesture: let sound out that the browser holds back. */
  async unblockSound() {
    await Promise.all([this.speaker.unblock(), this.remote.play()]);
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
    const parlour = { playback_ack: true, alignment: true, trace: true, resume: true };
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
    if (this.conversation.serverPlays) for (const report of this.playout.receive(event, now)) this.played(report);
    if (event.type === "session.created") this.established();
    if (event.type === "parlour.moved") this.parting = window.setTimeout(() => this.moved(), PARTING_MS);
    if (event.type === "parlour.hand_over_token") this.view.handedOver(event.token, event.expires_at * 1000);
    if (event.type === "parlour.going_away") this.view.noticed("The server restarts in a moment. The conversation goes on after it.");
    this.perform(this.conversation.receive(event, now));
    this.changed();
  }

  established() {
    this.trouble = null;
    this.lostAtMs = null;
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

  /** @param {boolean} whether over this connection the server plays, and not this page */
  serverPlays(whether) {
    this.conversation.serverPlays = whether;
    clearInterval(this.following);
    if (whether) this.following = window.setInterval(() => this.follow(), FOLLOWING_MS);
  }

  /** How far the server has played, and how loud. */
  follow() {
    this.speakerLevel = this.remote.level(this.speaker.context);
    for (const report of this.playout.tick(performance.now())) this.played(report);
    this.view.levels();
  }

  /** Sound that the server plays ends with the connection. */
  soundLost() {
    if (!this.conversation.serverPlays) return;
    clearInterval(this.following);
    this.remote.attach(null);
    this.playout.lost();
    this.conversation.sounding = null;
    this.speakerLevel = 0;
  }

  disconnected() {
    this.soundLost();
    if (this.client.resumable) this.lostAtMs = performance.now();
    else this.perform(this.conversation.disconnected());
    this.linkIs("waiting");
  }

  /** @param {WireEvent} event */
  resumed(event) {
    this.logEvent("received", event);
    this.perform(this.conversation.resumed(event));
    this.established();
  }

  /** The conversation that was waited for is not there any more. */
  forgotten() {
    this.perform(this.conversation.disconnected());
    if (this.conversation.lines.length > 0) return; // what this page knows of it goes on
    this.view.noticed("That conversation is not there any more: it has moved already, or its time is over. This is a new one.");
  }

  /** The conversation is on another device now. */
  moved() {
    clearTimeout(this.parting);
    this.parting = 0;
    this.client.stop();
    this.perform(this.conversation.disconnected());
    this.microphone.stop();
    this.asking = null;
    if (this.unsent.length > 0) this.view.unsent(this.unsent.splice(0).join(" "));
    this.rest();
    this.standStill("moved");
  }

  /** @param {"moved" | "offered"} why the conversation is not here, and nothing is tried */
  standStill(why) {
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
    if (event.kind === "flushed" && this.parting !== 0) this.moved();
    this.changed();
  }

  /** @param {import("./playback_worklet.js").PlaybackStatus} status */
  soundStatus(status) {
    if (!this.conversation.serverPlays) this.speakerLevel = status.sounding ? loudness(status.level) : 0;
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
          if (!this.conversation.serverPlays) this.speaker.flush();
          else for (const report of this.playout.flush(performance.now())) this.played(report);
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
    const patientUntilMs = this.lostAtMs === null ? null : this.lostAtMs + PATIENCE_MS;
    const dueMs = [patientUntilMs, this.conversation.owedUntilMs, this.asking && this.askingSince + ASKING_SHOWS_MS];
    const next = Math.min(...dueMs.map((due) => (due !== null && due > nowMs ? due : Infinity)));
    // Some faces end with time alone; without this look they would stay until something else happens.
    if (next < Infinity) this.lookAgain = window.setTimeout(() => this.changed(), next - nowMs + 1);
    this.view.changed();
  }
}
