// @ts-check
/**
 * A call: events over a data channel, sound over RTP. It is used like a WebSocket (open, message, close), so that
 * whoever keeps a connection need not know which of both it is.
 */

import { CallLiveness } from "./call_liveness.js";
import { CallStatsReader, packetsReceived } from "./call_stats.js";

const CONNECTING_MS = 4_000;
const GATHERING_MS = 500; // the server finds a browser by what it sends, so this is not worth a longer wait
const DISCONNECTED_MS = 3_000; // a path that is away for longer is not coming back by itself
const HANGING_UP_MS = 1_000;
const LOOK_EVERY_MS = 250; // whether the server is still there
const GOODBYE = 1000;

export class WebRtcCall {
  /** @param {string | null} key @param {(stream: MediaStream | null) => void} onSound what the server plays; null when it is over */
  constructor(key, onSound) {
    /** @type {Record<string, string>} */
    this.authorization = key ? { Authorization: `Bearer ${key}` } : {};
    this.onSound = onSound;
    /** @type {(() => void) | null} */
    this.onopen = null;
    /** @type {((message: {data: string}) => void) | null} */
    this.onmessage = null;
    /** @type {((closed: {code: number, reason: string}) => void) | null} */
    this.onclose = null;
    this.isOver = false;
    /** @type {MediaStreamTrack | null} */
    this.track = null;
    this.carrying = false;
    this.answerPlaying = false;
    this.statsReader = new CallStatsReader();
    /** @type {Promise<import("./call_stats.js").CallStats> | null} what has been asked for, and not of the browser yet */
    this.nextStats = null;
    /** @type {Promise<unknown>} the browser's answer to what was asked last */
    this.lastStats = Promise.resolve();
    /** @type {Promise<void>} */
    this.replacingTrack = Promise.resolve();
    this.liveness = new CallLiveness();
    this.looking = 0;
    this.disconnected = 0;
    /** @type {string | null} */
    this.location = null;
    this.connection = new RTCPeerConnection();
    this.channel = this.connection.createDataChannel("oai-events");
    const { sender, receiver } = this.connection.addTransceiver("audio", { direction: "sendrecv" });
    this.sender = sender;
    this.receiver = receiver;
    this.deadline = window.setTimeout(() => this.end("no path for its packets was found in time"), CONNECTING_MS);
    this.channel.onopen = () => {
      clearTimeout(this.deadline);
      if (this.isOver) return;
      this.looking = window.setInterval(() => this.look(), LOOK_EVERY_MS);
      this.onopen?.();
    };
    this.channel.onmessage = ({ data }) => {
      this.liveness.sign(performance.now());
      if (!this.isOver) this.onmessage?.({ data });
    };
    this.channel.onclose = () => this.end("the server closed it");
    this.connection.ontrack = ({ track, streams }) => this.onSound(streams[0] ?? new MediaStream([track]));
    this.connection.onconnectionstatechange = () => this.stateChanged();
    void this.signal();
  }

  get bufferedAmount() {
    return this.channel.bufferedAmount;
  }

  /** @param {string} text */
  send(text) {
    if (this.channel.readyState === "open") this.channel.send(text);
  }

  /** 1000 is a goodbye, and said over HTTP: that a connection ends says nothing of why. */
  close(code = 4000) {
    const parting = code === GOODBYE && this.location !== null ? this.hangUp(this.location) : Promise.resolve();
    this.end("closed here", parting);
  }

  /** The microphone, or none. @param {MediaStreamTrack | null} track */
  listenTo(track) {
    this.track = track;
    if (track === null) this.carrying = false;
    if (track === null || this.carrying) this.replaceTrack(track);
  }

  /** @param {MediaStreamTrack | null} track */
  replaceTrack(track) {
    this.replacingTrack = this.sender.replaceTrack(track).catch(ignoreClosed);
  }

  /**
   * Whether what the microphone hears now goes over RTP. It does not as long as something that it heard before is on
   * its way over the data channel: words must not overtake each other.
   */
  carriesSound() {
    if (this.carrying) return true;
    if (this.track === null || this.channel.readyState !== "open" || this.channel.bufferedAmount > 0) return false;
    this.carrying = true;
    this.replaceTrack(this.track);
    return false;
  }

  /** @param {boolean} isPlaying an answer is heard from now on */
  setAnswerPlaying(isPlaying) {
    this.answerPlaying = isPlaying;
    void this.stats();
  }

  /**
   * The browser is asked one question at a time, and none while the microphone changes: Firefox 153 can stop for good where
   * they overlap. Who asks meanwhile shares the next answer.
   */
  stats() {
    this.nextStats ??= this.askInTurn();
    return this.nextStats;
  }

  async askInTurn() {
    await Promise.all([this.lastStats, this.replacingTrack]);
    this.nextStats = null;
    const asked = this.askForStats();
    this.lastStats = asked.catch(ignoreClosed);
    return asked;
  }

  async askForStats() {
    const answerPlaying = this.answerPlaying;
    const reports = await this.connection.getStats();
    this.liveness.received(packetsReceived(reports.values()), performance.now());
    return this.statsReader.read(reports.values(), answerPlaying);
  }

  /** Is the server still there? */
  look() {
    const [played] = this.receiver.getSynchronizationSources();
    // A browser conceals what does not come, and dates that too: only the packet's own time is of a packet.
    const seen = this.liveness.look(played?.rtpTimestamp ?? 0, performance.now());
    if (seen === "dead") this.end("nothing comes from the server any more");
    else if (seen === "doubtful") void this.stats();
  }

  /** When there was a sign of life of the server last. */
  get aliveAtMs() {
    return this.liveness.aliveAtMs ?? performance.now();
  }

  async signal() {
    try {
      await this.connection.setLocalDescription();
      await this.gathered();
      const response = await fetch("v1/realtime/calls?model=parlour", {
        method: "POST",
        headers: { "Content-Type": "application/sdp", ...this.authorization },
        body: this.connection.localDescription?.sdp ?? "",
        signal: AbortSignal.timeout(CONNECTING_MS),
      });
      if (response.status !== 201) return this.end(`the server refused the call (${response.status})`);
      this.location = response.headers.get("Location");
      const sdp = await response.text();
      if (this.isOver) return void (this.location !== null && this.hangUp(this.location));
      await this.connection.setRemoteDescription({ type: "answer", sdp });
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      this.end("the call could not be made");
    }
  }

  gathered() {
    return new Promise((resolve) => {
      setTimeout(resolve, GATHERING_MS);
      const look = () => this.connection.iceGatheringState === "complete" && resolve(undefined);
      this.connection.onicegatheringstatechange = look;
      look();
    });
  }

  stateChanged() {
    clearTimeout(this.disconnected);
    const state = this.connection.connectionState;
    if (state === "failed" || state === "closed") this.end("the path for its packets was lost");
    if (state === "disconnected") this.disconnected = window.setTimeout(() => this.end("the network went away"), DISCONNECTED_MS);
  }

  /** @param {string} location */
  async hangUp(location) {
    const signal = AbortSignal.timeout(HANGING_UP_MS);
    try {
      await fetch(new URL(`${location.slice(1)}/hangup`, document.baseURI), { method: "POST", headers: this.authorization, keepalive: true, signal });
    } catch {
      // A server that is not there has hung up.
    }
  }

  /** @param {string} reason @param {Promise<void>} parting */
  end(reason, parting = Promise.resolve()) {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.deadline);
    clearTimeout(this.disconnected);
    clearInterval(this.looking);
    this.onSound(null);
    void parting.then(() => this.connection.close());
    queueMicrotask(() => this.onclose?.({ code: 1006, reason })); // as of a WebSocket: never within close()
  }
}

/** The microphone was changed while the call ended. @param {unknown} error */
function ignoreClosed(error) {
  if (!(error instanceof DOMException)) throw error;
}
