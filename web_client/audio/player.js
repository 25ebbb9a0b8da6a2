// @ts-check
/**
 * What plays, and what of it was heard: the pure heart of the playback worklet.
 *
 * Samples come in at 24 kHz, each piece under the id of its item, and leave at the rate of the audio
 * device. Every item has a place in the ring, so "how much of this item was heard" is counted, sample by
 * sample, where the sound is made. Sound leaves the loudspeaker later than it leaves here; `latencyFrames`
 * says by how much, and reports of progress wait that long. A flush does not wait: what has left here will
 * be heard.
 */

import { Resampler } from "./resampler.js";
import { RingBuffer } from "./ring_buffer.js";

export const WIRE_HZ = 24_000;
export const CAPACITY_MS = 120_000; // an answer may arrive this far ahead; the rest is refused and counted
export const LEAD_MS = 60; // held back before the first sample, against jitter
export const LONGEST_LEAD_MS = 400; // each underrun doubles the lead, up to here
export const FADE_MS = 6; // a stop in mid-wave would click
const REPORT_MS = 20;

/** @typedef {{item: string, start: number, end: number, ended: boolean, started: boolean}} Span */
/** @typedef {import("../conversation/playback.js").PlaybackReport} PlaybackReport */

export class Player {
  /** @param {number} deviceHz */
  constructor(deviceHz) {
    this.deviceHz = deviceHz;
    this.ring = new RingBuffer((CAPACITY_MS * WIRE_HZ) / 1000);
    this.resampler = new Resampler(WIRE_HZ, deviceHz);
    /** @type {Span[]} items that still have something to play, in order */
    this.spans = [];
    /** @type {"idle" | "filling" | "playing" | "fading"} */
    this.phase = "idle";
    this.leadMs = LEAD_MS;
    this.waitedFrames = 0;
    this.fadeLeft = 0;
    this.lastSample = 0;
    this.underruns = 0;
    this.refusedSamples = 0;
    this.latencyFrames = 0;
    this.frames = 0;
    this.sinceReport = 0;
    /** @type {{due: number, event: PlaybackReport}[]} at most one a REPORT_MS of latency, plus two an item */
    this.pending = [];
    /** @type {PlaybackReport[]} */
    this.ready = [];
    this.source = new Float32Array(0);
  }

  /** Sound is being heard, or will be. */
  get isPlaying() {
    return this.phase !== "idle" || this.pending.length > 0;
  }

  get bufferedMs() {
    return (this.ring.available * 1000) / WIRE_HZ;
  }

  /** @param {string} item @param {Int16Array} pcm at 24 kHz */
  push(item, pcm) {
    if (this.phase === "fading") this.finishFlush();
    const start = this.ring.written;
    const taken = this.ring.write(pcm);
    this.refusedSamples += pcm.length - taken;
    const last = this.spans.at(-1);
    if (last && last.item === item) last.end += taken;
    else this.spans.push({ item, start, end: start + taken, ended: false, started: false });
    if (this.phase === "idle") this.fill();
  }

  /** No more of this item will come. @param {string} item */
  end(item) {
    for (const span of this.spans) if (span.item === item) span.ended = true;
  }

  /** Stop now, with a fade too short to notice; ends in one "flushed" event, even where nothing played. */
  flush() {
    if (this.phase === "fading") return;
    const audible = this.phase === "playing" && this.ring.available > 0;
    this.phase = "fading";
    this.fadeLeft = fadeSamples();
    if (!audible) this.finishFlush();
  }

  /** Fill one block of output and return what there is to tell. @param {Float32Array} output */
  render(output) {
    const needed = this.resampler.needed(output.length);
    if (this.source.length < needed) this.source = new Float32Array(needed);
    const source = this.source.subarray(0, needed);
    this.read(source, output.length);
    this.resampler.process(source, output);
    this.frames += output.length;
    this.reportProgress(output.length);
    while (this.pending.length > 0 && this.pending[0].due <= this.frames) {
      const next = this.pending.shift();
      if (next) this.ready.push(next.event);
    }
    const events = this.ready;
    if (events.length > 0) this.ready = [];
    return events;
  }

  /** @param {Float32Array} source @param {number} frames of output that it will become */
  read(source, frames) {
    source.fill(0);
    if (this.phase === "filling") {
      this.waitedFrames += frames;
      if (this.hasLead()) this.phase = "playing";
    }
    if (this.phase === "playing") this.readPlaying(source);
    else if (this.phase === "fading") this.readFading(source);
  }

  /** @param {Float32Array} source */
  readPlaying(source) {
    const count = this.ring.take(source);
    if (count > 0) this.lastSample = source[count - 1];
    this.passSpans();
    if (count === source.length) return;
    decay(source.subarray(count), this.lastSample);
    this.lastSample = 0;
    if (this.spans.length === 0) {
      this.phase = "idle";
    } else {
      this.underruns += 1;
      this.leadMs = Math.min(LONGEST_LEAD_MS, this.leadMs * 2);
      this.fill();
    }
  }

  /** @param {Float32Array} source */
  readFading(source) {
    const total = fadeSamples();
    const count = this.ring.take(source.subarray(0, Math.min(source.length, this.fadeLeft)));
    for (let index = 0; index < count; index += 1) source[index] *= (this.fadeLeft - index) / total;
    this.fadeLeft -= count;
    if (this.fadeLeft <= 0 || this.ring.available === 0) this.finishFlush();
  }

  finishFlush() {
    const items = this.spans.map((span) => ({ item: span.item, playedMs: this.playedMs(span) }));
    this.ring.clear();
    this.spans = [];
    this.pending = [];
    this.phase = "idle";
    this.lastSample = 0;
    this.ready.push({ kind: "flushed", items, underruns: this.underruns });
  }

  fill() {
    this.phase = "filling";
    this.waitedFrames = 0;
  }

  /** Enough is there to start: the lead, all that will come, or as much as came in twice the lead's time. */
  hasLead() {
    if (this.ring.available === 0) {
      this.passSpans(); // an item may have ended with nothing left to play
      if (this.spans.length === 0) this.phase = "idle";
      return false;
    }
    const waitedMs = (this.waitedFrames * 1000) / this.deviceHz;
    const allThere = this.spans.every((span) => span.ended);
    return this.bufferedMs >= this.leadMs || allThere || waitedMs >= 2 * this.leadMs;
  }

  /** Note which items started, and let go of those that are over. */
  passSpans() {
    while (this.spans.length > 0) {
      const span = this.spans[0];
      if (!span.started && this.ring.read > span.start) {
        span.started = true;
        this.later({ kind: "started", item: span.item, playedMs: 0, underruns: this.underruns });
      }
      const over = this.ring.read >= span.end && (span.ended || this.spans.length > 1);
      if (!over) return;
      const playedMs = this.playedMs(span);
      this.spans.shift();
      this.later({ kind: "finished", item: span.item, playedMs, underruns: this.underruns });
    }
  }

  /** @param {number} frames */
  reportProgress(frames) {
    this.sinceReport += frames;
    if (this.sinceReport * 1000 < REPORT_MS * this.deviceHz) return;
    this.sinceReport = 0;
    const span = this.spans[0];
    if (span?.started) {
      const playedMs = this.playedMs(span);
      this.later({ kind: "progress", item: span.item, playedMs, underruns: this.underruns });
    }
  }

  /** @param {PlaybackReport} event */
  later(event) {
    this.pending.push({ due: this.frames + this.latencyFrames, event });
  }

  /** @param {Span} span */
  playedMs(span) {
    const played = Math.min(span.end, this.ring.read) - span.start;
    return Math.round((Math.max(0, played) * 1000) / WIRE_HZ);
  }
}

const fadeSamples = () => (FADE_MS * WIRE_HZ) / 1000;

/** Let a wave that has run out sink to silence instead of breaking off. @param {Float32Array} rest @param {number} from */
function decay(rest, from) {
  const length = Math.min(rest.length, fadeSamples());
  for (let index = 0; index < length; index += 1) rest[index] = from * (1 - (index + 1) / length);
}
