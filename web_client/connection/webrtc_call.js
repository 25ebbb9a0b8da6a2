// @ts-check
/**
 * A call: events over a data channel, sound over RTP. It is used like a WebSocket (open, message, close), so that
 * whoever keeps a connection need not know which of both it is.
 */

import { CallStatsReader } from "./call_stats.js";

const CONNECTING_MS = 4_000;
const GATHERING_MS = 500; // the server finds a browser by what it sends, so this is not worth a longer wait
const DISCONNECTED_MS = 3_000; // a path that is away for longer is not coming back by itself
const HANGING_UP_MS = 1_000;
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
    this.disconnected = 0;
    /** @type {string | null} */
    this.location = null;
    this.connection = new RTCPeerConnection();
    this.channel = this.connection.createDataChannel("oai-events");
    this.sender = this.connection.addTransceiver("audio", { direction: "sendrecv" }).sender;
    this.deadline = window.setTimeout(() => this.end("no path for its packets was found in time"), CONNECTING_MS);
    this.channel.onopen = () => {
      clearTimeout(this.deadline);
      if (!this.isOver) this.onopen?.();
    };
    this.channel.onmessage = ({ data }) => this.isOver || this.onmessage?.({ data });
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
    if (track === null || this.carrying) void this.sender.replaceTrack(track).catch(ignoreClosed);
  }

  /**
   * Whether what the microphone hears now goes over RTP. It does not as long as something that it heard before is on
   * its way over the data channel: words must not overtake each other.
   */
  carriesSound() {
    if (this.carrying) return true;
    if (this.track === null || this.channel.readyState !== "open" || this.channel.bufferedAmount > 0) return false;
    this.carrying = true;
    void this.sender.replaceTrack(this.track).catch(ignoreClosed);
    return false;
  }

  /** @param {boolean} isPlaying an answer is heard from now on */
  setAnswerPlaying(isPlaying) {
    this.answerPlaying = isPlaying;
    void this.stats();
  }

  async stats() {
    const answerPlaying = this.answerPlaying;
    const reports = await this.connection.getStats();
    return this.statsReader.read(reports.values(), answerPlaying);
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
    this.onSound(null);
    void parting.then(() => this.connection.close());
    queueMicrotask(() => this.onclose?.({ code: 1006, reason })); // as of a WebSocket: never within close()
  }
}

/** The microphone was changed while the call ended. @param {unknown} error */
function ignoreClosed(error) {
  if (!(error instanceof DOMException)) throw error;
}
