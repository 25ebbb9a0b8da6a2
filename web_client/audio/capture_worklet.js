// @ts-check
/** The microphone's end of the audio thread: posts 20 ms frames with their level. */

import { Framer } from "./framer.js";

class CaptureProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.framer = new Framer(sampleRate);
    this.mono = new Float32Array(128);
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channels = inputs[0];
    if (channels.length === 0) return true; // between two microphones
    for (const frame of this.framer.push(this.mix(channels))) {
      this.port.postMessage(frame, [frame.pcm.buffer]);
    }
    return true;
  }

  /** @param {Float32Array[]} channels */
  mix(channels) {
    if (channels.length === 1) return channels[0];
    const length = channels[0].length;
    if (this.mono.length !== length) this.mono = new Float32Array(length);
    for (let index = 0; index < length; index += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[index];
      this.mono[index] = sum / channels.length;
    }
    return this.mono;
  }
}

registerProcessor("parlour-capture", CaptureProcessor);
