// @ts-check
/**
 * The connection: one at a time, a call by WebRTC or a WebSocket, opened again when it is lost, for as long as the
 * conversation is wanted.
 * A server that can resumes the conversation then; to another one, or too late, it is told from the beginning.
 *
 * A browser does not tell a page why a WebSocket was refused. So when none opens, the page asks the server's
 * own pages (`/readyz`, `/v1/parlour`) and puts the right words to it.
 */

import { encodePcm } from "../conversation/base64.js";
import { delayMs } from "./backoff.js";
import { readinessOf } from "./readiness.js";
import { Resumption } from "./resumption.js";
import { TransportChoice } from "./transport_choice.js";
import { WebRtcCall } from "./webrtc_call.js";

/** @typedef {import("../conversation/effects.js").WireEvent} WireEvent */
/** @typedef {import("./transport_choice.js").Transport} Transport */
/**
 * What a WebSocket and a call have in common.
 * @typedef {{
 *   onopen: ((event: any) => void) | null, onmessage: ((message: any) => void) | null,
 *   onclose: ((closed: any) => void) | null,
 *   readonly bufferedAmount: number, send(text: string): void, close(code?: number): void}} Connection
 */
/** @typedef {"off" | "connecting" | "open" | "waiting"} ConnectionState off: none is wanted; waiting: for the next try to connect */
/** @typedef {{reason: "lost" | "unreachable" | "full" | "warming" | "key", detail: string, keyRefused: boolean}} Trouble */
/**
 * closed: the connection is lost; client.resumable says whether the conversation waits. expired: it does not any
 * more. resumed: it goes on. moved: it has gone on elsewhere, and this connection is over.
 * @typedef {{
 *   received(event: WireEvent): void, sent(event: WireEvent): void, closed(): void, expired(): void,
 *   resumed(event: WireEvent): void, moved(): void, opened(transport: Transport): void, sound(stream: MediaStream | null): void,
 *   troubled(trouble: Trouble, retryInMs: number | null): void, retrying(): void}} Listener
 */

const WAITING_FRAMES = 500; // ten seconds of speech before the connection stands; then the oldest go
const OPENING_MS = 8_000;
const ANSWER_MS = 4_000;
const STALLED_BYTES = 64 * 1024; // about a second of speech that has not left yet
const STALLED_MS = 8_000;
const CLOSE_MOVED = 4001; // the server's close code for a conversation that is somewhere else now
const CLOSE_SUSPENDED = 4000; // ours: unlike 1000, no goodbye
const STABLE_MS = 5_000; // a connection that stood this long was a good one: the back-off begins anew

export class RealtimeClient {
  /** @param {Listener} listener @param {() => string | null} key */
  constructor(listener, key) {
    this.listener = listener;
    this.key = key;
    this.wanted = false;
    this.choice = new TransportChoice(location.search);
    /** @type {Connection | null} */
    this.socket = null;
    /** @type {MediaStreamTrack | null} of the microphone, for a call */
    this.track = null;
    this.open = false;
    this.openedOnce = false;
    this.serverPlayed = false; // over the connection before this one
    this.attempt = 0;
    this.timer = 0;
    this.flowingAtMs = 0;
    this.lostAtMs = 0;
    /** @type {() => void} the socket at hand is no use any more */
    this.abandon = () => {};
    /** @type {string | null} the last key that opened a connection */
    this.acceptedKey = null;
    /** @type {Int16Array[]} */
    this.waitingFrames = [];
    /** @type {() => WireEvent[]} what a new session is sent first */
    this.openingEvents = () => [];
    this.resumption = new Resumption(`c${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`);
    this.tokenIsKey = false; // the conversation came from another device, and with it the right to be here
  }

  /** The server keeps the conversation while there is no connection. */
  get resumable() {
    return this.resumption.token !== null;
  }

  /** What opens a connection; null where none is known. */
  get credential() {
    return this.key() ?? (this.tokenIsKey ? this.resumption.token : null);
  }

  /** The connection, where it is a call. @returns {WebRtcCall | null} */
  get call() {
    return this.socket instanceof WebRtcCall ? this.socket : null;
  }

  /** What was sent and has not left. */
  get bufferedAmount() {
    return this.socket?.bufferedAmount ?? 0;
  }

  /** From now on there will be clips in the conversation: it leaves a call, and goes on over a WebSocket. */
  takeWebSocket() {
    this.choice.sendsClips = true;
    if (this.call === null) return;
    this.abandon();
    if (this.socket === null) this.connect();
  }

  /** @param {() => WireEvent[]} openingEvents what a new session is sent first */
  start(openingEvents) {
    this.openingEvents = openingEvents;
    this.wanted = true;
    this.openedOnce = false;
    this.attempt = 0;
    this.connect();
  }

  /** Say goodbye: the conversation is over. */
  stop() {
    this.resumption.reset();
    this.tokenIsKey = false;
    this.disconnect(1000);
  }

  /** Close without a goodbye: the server waits for whoever has the token. */
  suspend() {
    this.disconnect(CLOSE_SUSPENDED);
  }

  /** @param {number} code */
  disconnect(code) {
    this.wanted = false;
    this.open = false;
    this.waitingFrames = [];
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(code);
  }

  /** Try now instead of when the back-off says so. */
  retryNow() {
    if (!this.wanted || this.socket) return;
    clearTimeout(this.timer);
    this.connect();
  }

  /**
   * Send an event. While the conversation waits for a connection it is kept; before there is a conversation it is
   * dropped, and false comes back.
   * @param {WireEvent} event
   */
  send(event) {
    if (!this.open && !this.resumable) return false;
    this.transmit(this.resumption.prepare(event, performance.now()));
    return true;
  }

  /** @param {WireEvent} event with its id */
  transmit(event) {
    if (!this.open) return;
    this.socket?.send(JSON.stringify(event));
    this.listener.sent(event);
  }

  /** Send 20 ms of the microphone; until the connection stands they wait. @param {Int16Array} pcm */
  sendAudio(pcm) {
    if (this.stalled()) this.abandon();
    if (this.open && this.call?.carriesSound()) {
      if (this.resumable) this.resumption.frameSent(pcm, performance.now());
      return;
    }
    if (this.send({ type: "input_audio_buffer.append", audio: encodePcm(pcm) })) return;
    this.waitingFrames.push(pcm);
    if (this.waitingFrames.length > WAITING_FRAMES) this.waitingFrames.shift();
  }

  /** What the microphone hears, for a call; null when it is off. @param {MediaStreamTrack | null} track */
  listenTo(track) {
    this.track = track;
    this.call?.listenTo(track);
  }

  /** A network that went away says nothing; for minutes, all there is to see is that no sound leaves any more. */
  stalled() {
    if (!this.open || !this.socket) return false;
    const nowMs = performance.now();
    if (this.socket.bufferedAmount < STALLED_BYTES) this.flowingAtMs = nowMs;
    return nowMs - this.flowingAtMs > STALLED_MS;
  }

  /** @param {Transport} transport */
  connect(transport = this.choice.next) {
    this.listener.retrying();
    const key = this.credential;
    const socket = this.dial(key, transport);
    let wasThere = false;
    const since = performance.now();
    this.socket = socket;
    this.timer = window.setTimeout(() => socket.close(), OPENING_MS);
    socket.onopen = () => {
      this.acceptedKey = key;
      if (socket !== this.socket) return;
      wasThere = true;
      this.choice.opened(transport);
      this.listener.opened(transport);
      this.opened(socket);
    };
    const over = (/** @type {number} */ code, reason = "") => {
      if (socket !== this.socket) return; // stopped on purpose, or given up
      clearTimeout(this.timer);
      this.socket = null;
      if (transport === "webrtc" && !wasThere && this.choice.failed(reason)) return this.connect("websocket");
      const stood = this.open && performance.now() - since > STABLE_MS;
      if (stood) this.attempt = 0;
      if (this.open) this.lostAtMs = socket instanceof WebRtcCall ? socket.aliveAtMs : performance.now();
      const wasOpen = this.open;
      this.open = false;
      if (code === CLOSE_MOVED) return this.listener.moved();
      if (wasOpen) this.listener.closed();
      void this.retryLater(key);
    };
    socket.onclose = (/** @type {{code: number, reason: string}} */ { code, reason }) => over(code, reason);
    this.abandon = () => {
      over(1006); // a closing handshake would wait for the same dead network
      socket.close(CLOSE_SUSPENDED);
    };
  }

  /** @param {string | null} key @param {Transport} transport @returns {Connection} */
  dial(key, transport) {
    if (transport === "webrtc") {
      const call = new WebRtcCall(key, (stream) => call === this.socket && this.listener.sound(stream));
      call.listenTo(this.track);
      return call;
    }
    const protocols = key ? ["realtime", `openai-insecure-api-key.${key}`] : ["realtime"];
    return new WebSocket(socketUrl(), protocols);
  }

  /** @param {Connection} socket */
  opened(socket) {
    if (this.resumable) return this.resume(socket);
    clearTimeout(this.timer);
    this.begin(socket);
    for (const event of this.openingEvents()) this.send(event);
    const frames = this.waitingFrames;
    this.waitingFrames = [];
    for (const pcm of frames) this.sendAudio(pcm);
  }

  /** @param {Connection} socket */
  begin(socket) {
    this.open = true;
    this.serverPlayed = socket instanceof WebRtcCall;
    this.openedOnce = true;
    this.flowingAtMs = performance.now();
    socket.onmessage = (/** @type {{data: string}} */ { data }) => {
      if (socket === this.socket) this.received(JSON.parse(data));
    };
  }

  /** @param {WireEvent} event */
  received(event) {
    this.resumption.received(event);
    this.listener.received(event);
  }

  /** Ask for the conversation; until there is an answer, what comes is of a session that only stands in for it. @param {Connection} socket */
  resume(socket) {
    /** @type {WireEvent[]} */
    const newSessionEvents = [];
    const request = this.resumption.request(!this.serverPlayed);
    const askedAtMs = performance.now();
    socket.onmessage = (/** @type {{data: string}} */ { data }) => {
      if (socket !== this.socket) return;
      const event = JSON.parse(data);
      const refused = event.type === "error" && event.error?.event_id === request.event_id;
      if (event.type !== "parlour.resumed" && !refused) return void newSessionEvents.push(event);
      clearTimeout(this.timer);
      this.begin(socket);
      if (refused) this.startNewSession(newSessionEvents);
      else this.continueSession(event, askedAtMs);
    };
    socket.send(JSON.stringify(request));
    this.listener.sent(request);
  }

  /** @param {WireEvent} resumed @param {number} askedAtMs */
  continueSession(resumed, askedAtMs) {
    const missed = this.resumption.resumed(resumed, askedAtMs);
    for (const event of missed) this.transmit(event); // in the order in which they were made
    this.listener.resumed(resumed);
  }

  /** The conversation is not there any more: what the server does not know is told to the new session. @param {WireEvent[]} newSessionEvents */
  startNewSession(newSessionEvents) {
    const speech = this.resumption.speechSince(this.lostAtMs);
    this.resumption.reset();
    this.listener.expired();
    for (const event of [...this.openingEvents(), ...speech]) this.send(event);
    for (const event of newSessionEvents) this.received(event);
  }

  /** @param {string | null} key that the lost connection had */
  async retryLater(key) {
    const trouble = await diagnose(key, key !== null && (key === this.acceptedKey || (this.tokenIsKey && this.openedOnce)));
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
 * @param {string | null} key @param {boolean} keyWasAccepted it opened a connection before
 * @returns {Promise<Trouble>}
 */
async function diagnose(key, keyWasAccepted) {
  try {
    const [ready, about] = await Promise.all([fetchJson("readyz", key), fetchJson("v1/parlour", key)]);
    const { isFull, away } = readinessOf(ready.body);
    if (isFull) return { reason: "full", detail: "", keyRefused: false };
    if (away !== null) return { reason: "warming", detail: away, keyRefused: false };
    if (!keyWasAccepted && (about.status === 401 || about.body.needs_key === true)) {
      return { reason: "key", detail: "", keyRefused: key !== null };
    }
    return { reason: "lost", detail: "", keyRefused: false };
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
export async function fetchJson(path, key) {
  const headers = key ? { Authorization: `Bearer ${key}` } : undefined;
  const response = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    return { status: response.status, body: {} };
  }
}
