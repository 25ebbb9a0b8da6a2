// @ts-check
/** The page listens: the wish for a microphone, until the browser has answered it, and what became of it. */

import { loudness } from "./loudness.js";
import { Microphone, MicrophoneError } from "./microphone.js";

/** @typedef {import("./microphone.js").MicrophoneTrouble} MicrophoneTrouble */
/** @typedef {{captured(pcm: Int16Array): void, track(track: MediaStreamTrack | null): void, changed(): void}} Listener */

export class Listening {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {symbol | null} the wish for the microphone that the browser has not answered yet */
    this.asking = null;
    this.askingSince = Infinity; // before that there is still something to load
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
  async begin(starting) {
    this.trouble = null;
    const asking = Symbol("microphone");
    this.asking = asking;
    this.askingSince = Infinity;
    this.listener.changed();
    try {
      const context = await starting;
      if (context === null) throw new MicrophoneError("insecure");
      if (this.asking !== asking) return; // ended, or asked anew, before there was sound
      this.askingSince = performance.now();
      this.listener.changed();
      await this.microphone.start(context);
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      if (this.asking === asking) this.lost(error.trouble);
    } finally {
      if (this.asking === asking) this.asking = null;
    }
  }

  stop() {
    this.microphone.stop();
    this.asking = null;
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
