// @ts-check
/** The sound of a call, through an element of its own: the browser's jitter buffer and echo canceller know it. */

import { loudness } from "./loudness.js";

export class RemoteAudio {
  /** @param {(pcm: Int16Array) => void} onFrame what is heard, once `capture` was called: 20 ms at 24 kHz */
  constructor(onFrame) {
    this.onFrame = onFrame;
    /** @type {AudioWorkletNode | null} */
    this.ear = null;
    this.element = new Audio();
    this.element.autoplay = true;
    this.deviceId = "";
    /** @type {AnalyserNode | null} */
    this.analyser = null;
    /** @type {MediaStreamAudioSourceNode | null} */
    this.source = null;
    this.samples = new Float32Array(1024);
  }

  /** @param {MediaStream | null} stream null: silence */
  attach(stream) {
    this.source?.disconnect();
    this.source = null;
    this.ear?.port.close();
    this.ear = null;
    this.element.srcObject = stream;
    if (stream === null) return;
    void this.choose(this.deviceId);
    void this.play();
  }

  /** Where the browser has held it back, in a gesture. */
  async play() {
    if (this.element.srcObject === null) return;
    try {
      await this.element.play();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error; // it is asked for again with the next gesture
    }
  }

  /** @param {string} deviceId "" is the system's choice; an unknown one is let be */
  async choose(deviceId) {
    this.deviceId = deviceId;
    try {
      await this.element.setSinkId?.(deviceId);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  }

  /** 0 to 1, as the ear takes it. @param {AudioContext | null} context */
  level(context) {
    const stream = this.element.srcObject;
    if (!(stream instanceof MediaStream) || context === null) return 0;
    if (this.analyser?.context !== context) this.analyser = new AnalyserNode(context, { fftSize: this.samples.length });
    if (this.source === null) {
      this.source = context.createMediaStreamSource(stream);
      this.source.connect(this.analyser);
    }
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    return loudness(Math.sqrt(power));
  }

  /** Pass on what is heard of the stream at hand, whose level was asked for in a context that has the worklets. */
  capture() {
    if (this.ear !== null || this.source === null) return;
    this.ear = new AudioWorkletNode(this.source.context, "parlour-capture", { numberOfInputs: 1, numberOfOutputs: 0 });
    this.ear.port.onmessage = ({ data }) => this.onFrame(data.pcm);
    this.source.connect(this.ear);
  }
}
