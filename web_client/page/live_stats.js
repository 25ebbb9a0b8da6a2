// @ts-check
/** The live stats in the drawer: how well the connection goes, and the output. Measured only while somebody looks. */

import { fetchJson } from "../connection/client.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./drawer.js").Drawer} Drawer */

const EVERY_MS = 1_000;
const PING_EVERY_MS = 5_000; // over a WebSocket, the server is asked something small
const ROUND_TRIPS_MAX = 12;

export class LiveStats {
  /** @param {App} app @param {Drawer} drawer @param {() => string | null} key */
  constructor(app, drawer, key) {
    this.app = app;
    this.drawer = drawer;
    this.key = key;
    /** @type {import("../connection/call_stats.js").CallStats | null} of a call */
    this.callStats = null;
    /** @type {number[]} of the latest questions, in ms */
    this.roundTripsMs = [];
    this.pingedAtMs = -Infinity;
    this.timer = 0;
  }

  /** Measure, and go on until the drawer is shut. */
  async watch() {
    clearTimeout(this.timer);
    if (!this.drawer.isOpen) return;
    this.timer = window.setTimeout(() => void this.watch(), EVERY_MS);
    const call = this.app.connectionState === "open" ? this.app.client.call : null;
    this.callStats = call ? await call.stats() : null;
    if (call !== null) this.roundTripsMs = []; // by HTTP, and of another time
    else await this.pingServer();
    this.draw();
  }

  async pingServer() {
    const since = performance.now();
    if (since - this.pingedAtMs < PING_EVERY_MS) return;
    this.pingedAtMs = since;
    try {
      await fetchJson("healthz", this.key());
      this.roundTripsMs.push(performance.now() - since);
      if (this.roundTripsMs.length > ROUND_TRIPS_MAX) this.roundTripsMs.shift();
    } catch {
      this.roundTripsMs = []; // no answer
    }
  }

  draw() {
    const { context } = this.app.output.speaker;
    this.drawer.drawStats({
      "Connected by": this.app.connectionState === "open" ? this.app.client.choice.note : "–",
      ...this.connectionRows(),
      "Device rate": context ? `${context.sampleRate} Hz` : "–",
    });
  }

  /** What is known of a connection ends with it; the server can be asked without one. @returns {Record<string, string>} */
  connectionRows() {
    if (this.app.connectionState !== "open") return { "Round trip": milliseconds(this.roundTripsMs.at(-1) ?? NaN) };
    if (this.app.client.call === null) return this.socketRows();
    return this.callStats ? callRows(this.callStats) : {};
  }

  /** @returns {Record<string, string>} */
  socketRows() {
    const { output } = this.app;
    return {
      "Round trip": milliseconds(this.roundTripsMs.at(-1) ?? NaN),
      Jitter: milliseconds(meanStep(this.roundTripsMs)),
      "Buffer depth": milliseconds(output.bufferedMs),
      Underruns: String(output.underruns),
      Refused: milliseconds(output.refusedMs),
      "Sound out": output.speaker.context ? `${Math.round(output.speaker.latencySeconds() * 1000)} ms late` : "–",
    };
  }
}

/** @param {import("../connection/call_stats.js").CallStats} stats @returns {Record<string, string>} */
const callRows = ({ roundTripMs, jitterMs, lostShare, lostShareOut, bufferMs, underruns }) => ({
  "Round trip": milliseconds(roundTripMs),
  Jitter: milliseconds(jitterMs),
  Lost: `${percent(lostShare)} in, ${percent(lostShareOut)} out`,
  "Buffer depth": milliseconds(bufferMs),
  Underruns: String(underruns),
});

/** How much one round trip differs from the next. @param {number[]} roundTripsMs */
export function meanStep(roundTripsMs) {
  const steps = roundTripsMs.slice(1).map((ms, index) => Math.abs(ms - roundTripsMs[index]));
  return steps.reduce((sum, step) => sum + step, 0) / steps.length;
}

/** @param {number} ms */
const milliseconds = (ms) => (Number.isNaN(ms) ? "–" : `${Math.round(ms)} ms`);

/** @param {number} share */
const percent = (share) => (Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)}\u00a0%`);
