// @ts-check
/** The microphone as the page sees it: asked for, waited for, on, muted, or the reason why there is none. */

import { loudness } from "./loudness.js";
import { Microphone, MicrophoneError } from "./microphone.js";

/** @typedef {import("./microphone.js").MicrophoneTrouble} MicrophoneTrouble */
/** @typedef {{captured(pcm: Int16Array): void, track(track: MediaStreamTrack | null): void, changed(): void}} Listener */

export class AudioInput {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {symbol | null} a request for the microphone that the browser has not answered yet */
    this.pendingRequest = null;
    this.requestedAtMs = Infinity; // before that there is still something to load
    /** @type {MicrophoneTrouble | null} */
    this.trouble = null;
    this.level = 0;
    this.microphone = new Microphone(
      (pcm, level) => this.captured(pcm, level),
      (trouble) => this.lost(trouble),
      (track) => listener.track(track),
    );
  }

  get on() {
    return this.microphone.on;
  }

  get muted() {
    return this.microphone.muted;
  }

  /** @param {Promise<AudioContext | null>} starting null where the browser gives no sound to this page */
  async start(starting) {
    this.trouble = null;
    const request = Symbol("microphone");
    this.pendingRequest = request;
    this.requestedAtMs = Infinity;
    this.listener.changed();
    try {
      const context = await starting;
      if (context === null) throw new MicrophoneError("insecure");
      if (this.pendingRequest !== request) return; // ended, or asked anew, before there was sound
      this.requestedAtMs = performance.now();
      this.listener.changed();
      await this.microphone.start(context);
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      if (this.pendingRequest === request) this.lost(error.trouble);
    } finally {
      if (this.pendingRequest === request) this.pendingRequest = null;
    }
  }

  stop() {
    this.microphone.stop();
    this.pendingRequest = null;
    this.trouble = null;
    this.level = 0;
  }

  toggleMute() {
    if (!this.on) return;
    this.microphone.setMuted(!this.muted);
    if (this.muted) this.level = 0;
    this.listener.changed();
  }

  /** @param {Int16Array} pcm @param {number} level */
  captured(pcm, level) {
    this.level = loudness(level);
    this.listener.captured(pcm);
  }

  /** @param {MicrophoneTrouble} trouble */
  lost(trouble) {
    this.level = 0;
    this.trouble = trouble;
    this.listener.changed();
  }
}
