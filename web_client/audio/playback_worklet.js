// @ts-check
/** The loudspeaker's end of the audio thread: a `Player` behind a message port. */

import { Player } from "./player.js";

/**
 * @typedef {{kind: "push", item: string, pcm: Int16Array} | {kind: "end", item: string}
 *   | {kind: "flush"} | {kind: "latency", seconds: number}} PlaybackOrder
 */
/** @typedef {{kind: "status", isPlaying: boolean, bufferedMs: number, level: number, underruns: number, refusedMs: number}} PlaybackStatus */

const STATUS_MS = 33; // about two screen frames: the level meter follows, the main thread stays free

class PlaybackProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.player = new Player(sampleRate);
    this.energy = 0;
    this.frames = 0;
    this.wasPlaying = false;
    this.port.onmessage = ({ data }) => this.obey(data);
  }

  /** @param {PlaybackOrder} order */
  obey(order) {
    switch (order.kind) {
      case "push":
        return this.player.push(order.item, order.pcm);
      case "end":
        return this.player.end(order.item);
      case "flush":
        return this.player.flush();
      case "latency":
        this.player.latencyFrames = Math.round(order.seconds * sampleRate);
    }
  }

  /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
  process(_inputs, outputs) {
    const [first, ...others] = outputs[0];
    for (const event of this.player.render(first)) this.port.postMessage(event);
    for (const other of others) other.set(first);
    this.measure(first);
    return true;
  }

  /** @param {Float32Array} block */
  measure(block) {
    for (const sample of block) this.energy += sample * sample;
    this.frames += block.length;
    if (this.frames * 1000 < STATUS_MS * sampleRate) return;
    const isPlaying = this.player.isPlaying;
    if (isPlaying || this.wasPlaying) {
      this.port.postMessage({
        kind: "status",
        isPlaying,
        bufferedMs: this.player.bufferedMs,
        level: Math.sqrt(this.energy / this.frames),
        underruns: this.player.underruns,
        refusedMs: (this.player.refusedSamples * 1000) / 24_000,
      });
    }
    this.wasPlaying = isPlaying;
    this.energy = 0;
    this.frames = 0;
  }
}

registerProcessor("parlour-playback", PlaybackProcessor);
