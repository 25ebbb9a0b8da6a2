// @ts-check
/** The loudspeaker: the page's one AudioContext and the playback worklet in it. */

import { decodePcm } from "../conversation/base64.js";

/** @typedef {import("../conversation/playback.js").PlaybackReport} PlaybackReport */
/** @typedef {import("./playback_worklet.js").PlaybackStatus} PlaybackStatus */
/** @typedef {import("./playback_worklet.js").PlaybackOrder} PlaybackOrder */
/**
 * @typedef {{played(event: PlaybackReport): void, status(status: PlaybackStatus): void, blocked(blocked: boolean): void}} SpeakerListener
 */

const WAITING_ORDERS = 2_000; // minutes of sound, for the moment in which the worklet loads; more is not played
const UNBLOCK_MS = 2_500; // a context that may run does so within this, also where its device has to wake up

export class Speaker {
  /**
   * @param {SpeakerListener} listener
   * @param {(attempt: number) => number} retryDelayMs until the worklets are asked for again; attempt: 0 after the first failure
   */
  constructor(listener, retryDelayMs) {
    this.listener = listener;
    this.retryDelayMs = retryDelayMs;
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {AudioWorkletNode | null} */
    this.worklet = null;
    this.deviceId = "";
    /** @type {Promise<AudioContext> | null} */
    this.starting = null;
    /** Tell it that the server answers. */
    this.serverIsThere = () => {};
    /** @type {PlaybackOrder[]} given before the worklet was loaded */
    this.waiting = [];
  }

  /** Browsers have worklets only for pages from a secure address. */
  static get canPlay() {
    return typeof AudioWorkletNode === "function";
  }

  static get canChoose() {
    return "setSinkId" in AudioContext.prototype;
  }

  /**
   * The context, with both worklet modules in it; null where the browser allows none. Call it in a user's gesture, or
   * sound may be blocked.
   * @returns {Promise<AudioContext | null>}
   */
  async start() {
    if (!Speaker.canPlay) return null;
    this.starting ??= this.create();
    void this.unblock(); // here too: now there is a gesture
    return this.starting;
  }

  /** The worklets come from the server; while it is away they are asked for again, as the connection is. */
  async create() {
    for (let attempt = 0; ; attempt += 1) {
      const context = new AudioContext({ latencyHint: "interactive" });
      this.context = context;
      try {
        await Promise.all([
          context.audioWorklet.addModule("audio/capture_worklet.js"),
          context.audioWorklet.addModule("audio/playback_worklet.js"),
        ]);
        return await this.equip(context);
      } catch (error) {
        if (!(error instanceof DOMException)) throw error;
        this.context = null;
        void context.close(); // it remembers which modules it failed to load
        await this.pause(this.retryDelayMs(attempt));
      }
    }
  }

  /** @param {number} ms or less, where the server shows itself before */
  pause(ms) {
    return new Promise((resolve) => {
      this.serverIsThere = () => resolve(undefined);
      setTimeout(resolve, ms);
    });
  }

  /** @param {AudioContext} context with the modules */
  async equip(context) {
    const options = { numberOfInputs: 0, numberOfOutputs: 1, outputChannelCount: [1] };
    this.worklet = new AudioWorkletNode(context, "parlour-playback", options);
    this.worklet.port.onmessage = ({ data }) => this.heard(data);
    this.worklet.connect(context.destination);
    for (const order of this.waiting.splice(0)) this.order(order);
    // iOS interrupts a context for a telephone call, browsers suspend one without a gesture.
    context.onstatechange = () => this.listener.blocked(context.state !== "running");
    if (this.deviceId) await this.choose(this.deviceId);
    void this.unblock();
    return context;
  }

  /** Try to get sound going, and say whether it is blocked. */
  async unblock() {
    const context = this.context;
    if (!context || context.state === "closed") return;
    const patience = new Promise((resolve) => setTimeout(resolve, UNBLOCK_MS));
    await Promise.race([context.resume().catch(ignoreClosing), patience]);
    if (context === this.context) this.listener.blocked(context.state !== "running");
  }

  /** @param {string} item @param {string} base64 */
  play(item, base64) {
    const pcm = decodePcm(base64);
    this.order({ kind: "latency", seconds: this.latencySeconds() });
    this.order({ kind: "push", item, pcm }, [pcm.buffer]);
  }

  /** No more of this item will come. @param {string} item */
  end(item) {
    this.order({ kind: "end", item });
  }

  /** Silence, now; a "flushed" event tells how far each item was heard. */
  flush() {
    this.order({ kind: "flush" });
  }

  /** @param {string} deviceId "" is the system's choice; an unknown one is let be */
  async choose(deviceId) {
    this.deviceId = deviceId;
    try {
      await this.context?.setSinkId?.(deviceId);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.deviceId = ""; // it was unplugged; the system's choice goes on
    }
  }

  /** From the worklet to the ear. */
  latencySeconds() {
    return (this.context?.outputLatency ?? 0) + (this.context?.baseLatency ?? 0);
  }

  /** @param {PlaybackReport | PlaybackStatus} message */
  heard(message) {
    if (message.kind === "status") this.listener.status(message);
    else this.listener.played(message);
  }

  /** @param {PlaybackOrder} order @param {Transferable[]} transfer */
  order(order, transfer = []) {
    if (this.worklet) this.worklet.port.postMessage(order, transfer);
    else if (this.waiting.length < WAITING_ORDERS) this.waiting.push(order);
  }
}

/** A context that is closed while it should resume says so; it is not needed any more. @param {unknown} error */
function ignoreClosing(error) {
  if (!(error instanceof DOMException)) throw error;
}
