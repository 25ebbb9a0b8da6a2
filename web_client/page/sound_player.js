// @ts-check
/** Plays one sound at a time to the person who looks at it, piece by piece: a long one is never made into one buffer. */

import { SOUND_HZ } from "../clips/levels.js";

/** @typedef {{moved(ms: number): void, stopped(): void}} Listener */

const PIECE_SAMPLES = 2 * SOUND_HZ;
const AHEAD_S = 4; // so much is scheduled; a background tab's timer comes once a second
const SCHEDULE_MS = 500;
const START_S = 0.05;

export class SoundPlayer {
  /** @param {() => Promise<AudioContext | null>} context of a user's gesture @param {(plays: boolean) => void} onPlaying */
  constructor(context, onPlaying) {
    this.context = context;
    this.onPlaying = onPlaying;
    /** @type {Playing | null} */
    this.playing = null;
  }

  /** In a gesture. Ends whatever plays. @param {Int16Array} pcm at SOUND_HZ @param {number} fromMs @param {Listener} listener */
  async play(pcm, fromMs, listener) {
    this.stop();
    const context = await this.context();
    if (context === null) return listener.stopped();
    this.stop(); // another one may have been asked for meanwhile
    this.playing = new Playing(context, pcm, fromMs, listener, () => this.stop());
    this.onPlaying(true);
  }

  stop() {
    const { playing } = this;
    if (playing === null) return;
    this.playing = null;
    playing.stop();
    this.onPlaying(false);
  }
}

class Playing {
  /** @param {AudioContext} context @param {Int16Array} pcm @param {number} fromMs @param {Listener} listener @param {() => void} onEnd */
  constructor(context, pcm, fromMs, listener, onEnd) {
    this.context = context;
    this.pcm = pcm;
    this.listener = listener;
    this.onEnd = onEnd;
    this.next = Math.round((fromMs * SOUND_HZ) / 1000); // sample to schedule
    this.nextAtS = context.currentTime + START_S;
    this.zeroAtS = this.nextAtS - fromMs / 1000; // when the sound's beginning would have been heard
    /** @type {Set<AudioBufferSourceNode>} */
    this.sources = new Set();
    this.timer = window.setInterval(() => this.schedule(), SCHEDULE_MS);
    this.frame = requestAnimationFrame(() => this.look());
    this.schedule();
  }

  schedule() {
    while (this.next < this.pcm.length && this.nextAtS < this.context.currentTime + AHEAD_S) {
      const piece = this.pcm.subarray(this.next, this.next + PIECE_SAMPLES);
      const buffer = this.context.createBuffer(1, piece.length, SOUND_HZ);
      buffer.copyToChannel(Float32Array.from(piece, (sample) => sample / 32768), 0);
      const source = new AudioBufferSourceNode(this.context, { buffer });
      source.connect(this.context.destination);
      source.onended = () => this.sources.delete(source);
      source.start(this.nextAtS);
      this.sources.add(source);
      this.next += piece.length;
      this.nextAtS += piece.length / SOUND_HZ;
    }
    if (this.next >= this.pcm.length && this.context.currentTime >= this.nextAtS) this.onEnd();
  }

  look() {
    this.frame = requestAnimationFrame(() => this.look());
    this.listener.moved(Math.max(0, (this.context.currentTime - this.zeroAtS) * 1000));
  }

  stop() {
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    for (const source of this.sources) {
      source.onended = null;
      source.stop();
    }
    this.listener.stopped();
  }
}
