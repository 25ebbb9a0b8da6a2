// @ts-check
/**
 * The connection: one WebSocket at a time, opened again when it is lost, for as long as the conversation is wanted.
 *
 * A browser does not tell a page why a WebSocket was refused. So when one does not open, the page asks the server's
 * own pages (`/readyz`, `/v1/parlour`) and puts the right words to it.
 */

import { delayMs } from "./backoff.js";
import { encodePcm } from "./base64.js";

/** @typedef {import("./conversation.js").WireEvent} WireEvent */
/** @typedef {{reason: "lost" | "unreachable" | "full" | "warming" | "key", detail: string, keyRefused: boolean}} Trouble */
/**
 * @typedef {{
 *   opened(): void, received(event: WireEvent): void, sent(event: WireEvent): void,
 *   closed(): void, troubled(trouble: Trouble, retryInMs: number | null): void, retrying(): void}} Listener
 */

const WAITING_FRAMES = 500; // ten seconds of speech before the connection stands; then the oldest go
const OPENING_MS = 8_000;
const ASKING_MS = 4_000;
const STALLED_BYTES = 64 * 1024; // about a second of speech that has not left yet
const STALLED_MS = 8_000;
const STEADY_MS = 5_000; // a connection that stood this long was a good one: the back-off begins anew

export class RealtimeClient {
  /** @param {Listener} listener @param {() => string | null} key */
  constructor(listener, key) {
    this.listener = listener;
    this.key = key;
    this.wanted = false;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.open = false;
    this.openedOnce = false;
    this.attempt = 0;
    this.timer = 0;
    this.flowingAtMs = 0;
    /** @type {() => void} the socket at hand is no use any more */
    this.giveUp = () => {};
    /** @type {string | null} the last key that opened a connection */
    this.goodKey = null;
    /** @type {Int16Array[]} */
    this.waiting = [];
    /** @type {() => WireEvent[]} what a new session is told first */
    this.greeting = () => [];
  }

  /** @param {() => WireEvent[]} greeting */
  start(greeting) {
    this.greeting = greeting;
    this.wanted = true;
    this.openedOnce = false;
    this.attempt = 0;
    this.connect();
  }

  stop() {
    this.wanted = false;
    this.open = false;
    this.waiting = [];
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }

  /** Try now instead of when the back-off says so. */
  retryNow() {
    if (!this.wanted || this.socket) return;
    clearTimeout(this.timer);
    this.connect();
  }

  /** Send an event; before the connection stands it is dropped, and false comes back. @param {WireEvent} event */
  send(event) {
    if (!this.open || !this.socket) return false;
    this.socket.send(JSON.stringify(event));
    this.listener.sent(event);
    return true;
  }

  /** Send 20 ms of the microphone; until the connection stands they wait. @param {Int16Array} pcm */
  sendAudio(pcm) {
    if (this.stalled()) this.giveUp();
    if (this.send({ type: "input_audio_buffer.append", audio: encodePcm(pcm) })) return;
    this.waiting.push(pcm);
    if (this.waiting.length > WAITING_FRAMES) this.waiting.shift();
  }

  /** A network that went away says nothing; for minutes, all there is to see is that no sound leaves any more. */
  stalled() {
    if (!this.open || !this.socket) return false;
    const nowMs = performance.now();
    if (this.socket.bufferedAmount < STALLED_BYTES) this.flowingAtMs = nowMs;
    return nowMs - this.flowingAtMs > STALLED_MS;
  }

  connect() {
    this.listener.retrying();
    const key = this.key();
    const protocols = key ? ["realtime", `openai-insecure-api-key.${key}`] : ["realtime"];
    const socket = new WebSocket(socketUrl(), protocols);
    const since = performance.now();
    this.socket = socket;
    this.timer = window.setTimeout(() => socket.close(), OPENING_MS);
    socket.onopen = () => {
      clearTimeout(this.timer);
      this.goodKey = key;
      this.opened();
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.socket) this.listener.received(JSON.parse(data));
    };
    const over = () => {
      if (socket !== this.socket) return; // stopped on purpose, or given up
      clearTimeout(this.timer);
      this.socket = null;
      const stood = this.open && performance.now() - since > STEADY_MS;
      if (stood) this.attempt = 0;
      if (this.open) this.listener.closed();
      this.open = false;
      void this.recover(key);
    };
    socket.onclose = over;
    this.giveUp = () => {
      over(); // a closing handshake would wait for the same dead network
      socket.close();
    };
  }

  opened() {
    this.open = true;
    this.openedOnce = true;
    this.flowingAtMs = performance.now();
    this.listener.opened();
    for (const event of this.greeting()) this.send(event);
    const waiting = this.waiting;
    this.waiting = [];
    for (const pcm of waiting) this.sendAudio(pcm);
  }

  /** @param {string | null} key that the lost connection had */
  async recover(key) {
    const trouble = await diagnose(key, key !== null && key === this.goodKey);
    if (!this.wanted || this.socket) return;
    if (trouble.reason === "key") return this.listener.troubled(trouble, null);
    if (trouble.reason === "lost" && !this.openedOnce) trouble.reason = "unreachable";
    const delay = delayMs(this.attempt, Math.random());
    this.attempt += 1;
    this.listener.troubled(trouble, delay);
    this.timer = window.setTimeout(() => this.connect(), delay);
  }
}

function socketUrl() {
  const url = new URL("v1/realtime?model=parlour", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/**
 * Why a connection did not open, or did not stay.
 * @param {string | null} key @param {boolean} keyIsGood it opened a connection before
 * @returns {Promise<Trouble>}
 */
async function diagnose(key, keyIsGood) {
  try {
    const [ready, about] = await Promise.all([ask("readyz", key), ask("v1/parlour", key)]);
    const detail = typeof ready.body.detail === "string" ? ready.body.detail : "";
    if (ready.body.full === true) return { reason: "full", detail, keyRefused: false };
    if (ready.body.ready === false) return { reason: "warming", detail, keyRefused: false };
    if (!keyIsGood && (about.status === 401 || about.body.needs_key === true)) {
      return { reason: "key", detail, keyRefused: key !== null };
    }
    return { reason: "lost", detail, keyRefused: false };
  } catch {
    return { reason: "lost", detail: "", keyRefused: false }; // no answer at all
  }
}

/**
 * One of the server's pages. An answer that is not JSON counts as an empty one.
 * Throws where no answer comes in time.
 * @param {string} path @param {string | null} key
 * @returns {Promise<{status: number, body: Record<string, unknown>}>}
 */
export async function ask(path, key) {
  const headers = key ? { Authorization: `Bearer ${key}` } : undefined;
  const response = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(ASKING_MS) });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    return { status: response.status, body: {} };
  }
}
