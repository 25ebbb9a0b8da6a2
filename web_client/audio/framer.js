// @ts-check
/** Microphone sound of any rate -> frames of 20 ms, s16 at 24 kHz: the pure heart of the capture worklet. */

import { Resampler } from "./resampler.js";

export const WIRE_HZ = 24_000;
export const FRAME_MS = 20;
export const FRAME_SAMPLES = (WIRE_HZ * FRAME_MS) / 1000;

export class Framer {
  /** @param {number} deviceHz */
  constructor(deviceHz) {
    this.resampler = new Resampler(deviceHz, WIRE_HZ);
    this.resampled = new Float32Array(this.resampler.most(128));
    this.frame = new Int16Array(FRAME_SAMPLES);
    this.filled = 0;
    this.energy = 0;
  }

  /**
   * Add one block and return the frames that it completes, each with its level (root mean square, 0 to 1).
   * @param {Float32Array} block
   * @returns {{pcm: Int16Array, level: number}[]}
   */
  push(block) {
    const room = this.resampler.most(block.length);
    if (this.resampled.length < room) this.resampled = new Float32Array(room);
    const count = this.resampler.process(block, this.resampled);
    /** @type {{pcm: Int16Array, level: number}[]} */
    const frames = [];
    for (let index = 0; index < count; index += 1) {
      const sample = Math.max(-1, Math.min(1, this.resampled[index]));
      this.frame[this.filled] = Math.round(sample * 32767);
      this.energy += sample * sample;
      this.filled += 1;
      if (this.filled === FRAME_SAMPLES) frames.push(this.finish());
    }
    return frames;
  }

  finish() {
    const done = { pcm: this.frame, level: Math.sqrt(this.energy / FRAME_SAMPLES) };
    this.frame = new Int16Array(FRAME_SAMPLES); // the full one is handed over to another thread
    this.filled = 0;
    this.energy = 0;
    return done;
  }
}
