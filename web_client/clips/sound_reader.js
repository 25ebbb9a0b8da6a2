// @ts-check
/**
 * A file -> a clip. The browser decodes it, off this thread; a worker looks at it; and between the two it goes in slices,
 * so that no frame of the page waits for it.
 */

import { SOUND_HZ } from "./levels.js";
import { LONGEST_MS, SHORTEST_MS, duration, lengthMsOf } from "./sound.js";

/** @typedef {import("./sound.js").Sound} Sound */
/** @typedef {import("./sound.js").Clip} Clip */
/** @typedef {import("./sound_worker.js").Order} Order */
/** @typedef {import("./sound_worker.js").Report} Report */
/** @typedef {{parts: string[], resolve(looked: {sound: Sound, pieces: import("./levels.js").Stretch[], parts: string[]}): void}} Waiting */

const FILE_BYTES_MAX = 256 * 1024 * 1024; // ten minutes of the largest kind there is take 230 MB (96 kHz, stereo, float)
const SLICE_SAMPLES = 10 * SOUND_HZ;

/** One sentence for the person who brought the file. */
export class ClipError extends Error {}

export class SoundReader {
  constructor() {
    /** @type {Worker | null} */
    this.worker = null;
    this.nextId = 1;
    /** @type {Map<number, Waiting>} */
    this.waiting = new Map();
  }

  /** Throws ClipError. @param {Blob} file @param {string} name @returns {Promise<Clip>} */
  async read(file, name) {
    if (file.size === 0) throw new ClipError(`“${name}” is empty.`);
    if (file.size > FILE_BYTES_MAX) throw new ClipError(`“${name}” is too large: a file may have 256 MB.`);
    const decoded = await decode(file, name);
    checkLength(decoded.duration * 1000, name);
    const id = this.nextId;
    this.nextId += 1;
    const looked = this.awaited(id);
    await this.pour(id, decoded);
    const { sound, pieces, parts } = await looked;
    return { name, lengthMs: lengthMsOf(sound.pcm), sound, pieces, parts };
  }

  /** A sound that is here already: what the microphone heard. Throws ClipError. @param {Int16Array} pcm @param {string} name @returns {Promise<Clip>} */
  async readPcm(pcm, name) {
    checkLength(lengthMsOf(pcm), name);
    const id = this.nextId;
    this.nextId += 1;
    const looked = this.awaited(id);
    this.order({ kind: "samples", id, channels: [Float32Array.from(pcm, (sample) => sample / 32767)] });
    this.order({ kind: "finish", id, encodes: true });
    const { sound, pieces, parts } = await looked;
    return { name, lengthMs: lengthMsOf(sound.pcm), sound, pieces, parts };
  }

  /** What a sound looks like. @param {Int16Array} pcm is kept @returns {Promise<Sound>} */
  async look(pcm) {
    const id = this.nextId;
    this.nextId += 1;
    const looked = this.awaited(id);
    this.order({ kind: "pcm", id, pcm });
    return (await looked).sound;
  }

  /** @param {number} id */
  awaited(id) {
    return new Promise((/** @type {Waiting["resolve"]} */ resolve) => this.waiting.set(id, { parts: [], resolve }));
  }

  /** Slice by slice: each is copied between two frames. @param {number} id @param {AudioBuffer} decoded */
  async pour(id, decoded) {
    for (let start = 0; start < decoded.length; start += SLICE_SAMPLES) {
      const channels = Array.from({ length: decoded.numberOfChannels }, (_, number) => {
        const slice = new Float32Array(Math.min(SLICE_SAMPLES, decoded.length - start));
        decoded.copyFromChannel(slice, number, start);
        return slice;
      });
      this.order({ kind: "samples", id, channels }, channels.map(({ buffer }) => buffer));
      await new Promise((resolve) => setTimeout(resolve));
    }
    this.order({ kind: "finish", id, encodes: true });
  }

  /** @param {Order} order @param {Transferable[]} transfer */
  order(order, transfer = []) {
    if (this.worker === null) {
      this.worker = new Worker("clips/sound_worker.js", { type: "module" });
      this.worker.onmessage = ({ data }) => this.told(data);
    }
    this.worker.postMessage(order, transfer);
  }

  /** @param {Report} report */
  told(report) {
    const waiting = this.waiting.get(report.id);
    if (!waiting) return;
    if (report.kind === "part") return void waiting.parts.push(report.text);
    this.waiting.delete(report.id);
    waiting.resolve({ sound: report.sound, pieces: report.pieces, parts: waiting.parts });
  }
}

/** At SOUND_HZ. Throws ClipError. @param {Blob} file @param {string} name */
async function decode(file, name) {
  const bytes = await file.arrayBuffer();
  try {
    return await new OfflineAudioContext(1, 1, SOUND_HZ).decodeAudioData(bytes);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw new ClipError(`“${name}” cannot be decoded: it is damaged, or of a kind that this browser does not know. WAV, MP3, M4A, FLAC and Ogg are known to most.`);
  }
}

/** @param {number} ms @param {string} name */
function checkLength(ms, name) {
  if (ms < SHORTEST_MS) throw new ClipError(`“${name}” is too short: ${Math.round(ms)} ms, and ${SHORTEST_MS} ms are needed to hear anything.`);
  if (ms > LONGEST_MS) throw new ClipError(`“${name}” is too long: ${duration(ms)}, and a clip may have ${duration(LONGEST_MS)}.`);
}
