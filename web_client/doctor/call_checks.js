// @ts-check
/** The doctor's steps over WebRTC: the call that is open, or one of its own, and how far it comes. */

import { WebRtcCall } from "../connection/webrtc_call.js";
import { CheckFailed } from "./check_failed.js";

/**
 * What is examined of the page: its connection and its loudspeaker.
 * @typedef {{
 *   readonly connectionState: import("../connection/client.js").ConnectionState,
 *   readonly client: import("../connection/client.js").RealtimeClient, readonly output: import("../audio/audio_output.js").AudioOutput}} Examined
 */
/** @typedef {{type: string, [field: string]: any}} Report one of an RTCStatsReport */

const LOOK_EVERY_MS = 30;
const CURE_UDP =
  "Everything but WebRTC works, and the page takes a WebSocket. On the server: open its UDP ports, name the address at which it is reached (PARLOUR_WEBRTC_ADDRESS), or use a TURN server.";
const CURE_TURN = "On the server: check PARLOUR_TURN_URL, PARLOUR_TURN_USER and PARLOUR_TURN_PASSWORD, and that the TURN server runs.";
const CURE_DTLS = "Something between changes what is sent: a proxy that rewrites answers, or a firewall that looks in.";
const CURE_MTU = "Small packets get through and large ones do not: lower the MTU of the VPN or tunnel between.";

export class CallChecks {
  /** @param {Examined} page */
  constructor(page) {
    this.page = page;
    this.hasTurn = false;
    this.isDoctorsOwn = false;
    this.hasReceived = false;
    this.endReason = "";
    this.answer = ""; // what was reached is noted when it is: a call that fails is soon closed, and knows nothing any more
    this.isEncrypted = false;
    /** @type {Promise<{local: Report, remote: Report}> | null} */
    this.pair = null;
    /** @type {WebRtcCall | null} */
    this.call = null;
  }

  async signal() {
    if (typeof RTCPeerConnection !== "function") throw new CheckFailed("This browser has no WebRTC.", "The page takes a WebSocket, which needs none.");
    const open = this.page.connectionState === "open" ? this.page.client.call : null;
    this.call = open ?? this.dial();
    const { connection } = this.call;
    for (const change of ["signalingstatechange", "iceconnectionstatechange", "connectionstatechange"]) {
      connection.addEventListener(change, () => this.observe(connection));
    }
    this.observe(connection);
    const since = performance.now();
    if (!(await this.reaches(() => this.answer !== ""))) {
      throw new CheckFailed(`${capitalised(this.endReason)}.`, "Look at the server's log; does a proxy between forward POST requests to v1/realtime/calls?");
    }
    return open ? "A call is open." : `A call was answered after ${Math.round(performance.now() - since)} ms.`;
  }

  async findPath() {
    const there = candidatesOf(this.answer);
    if (!(await this.reaches(() => this.pair !== null)) || this.pair === null) {
      const addresses = [...new Set(there.map(({ address }) => address))].join(", ") || "the server, which named no address";
      throw new CheckFailed(`No UDP gets through to ${addresses}.`, CURE_UDP);
    }
    const here = candidatesOf(this.signalledCall.connection.localDescription?.sdp ?? "");
    const { local, remote } = await this.pair;
    const path = `${local.candidateType} to ${remote.candidateType}, ${remote.protocol} ${socket(remote.address, remote.port)}`;
    return `${path} (candidates: ${kinds(here)} here, ${kinds(there)} there).`;
  }

  async relay() {
    const relays = candidatesOf(this.answer).filter(({ kind }) => kind === "relay");
    if (this.hasTurn && relays.length === 0) throw new CheckFailed("The TURN server that is configured gave no relay.", CURE_TURN);
    if (relays.length > 0) return `Relays at ${relays.map(({ address }) => address).join(", ")}.`;
    return "Not configured, and not needed on this path.";
  }

  async encrypt() {
    if (!(await this.reaches(() => this.isEncrypted))) {
      throw new CheckFailed("The DTLS handshake failed, or showed another certificate than agreed.", CURE_DTLS);
    }
    return "DTLS, with the certificate that was agreed.";
  }

  async openChannel() {
    const { channel } = this.signalledCall;
    if (!(await this.reaches(() => channel.readyState === "open" && (this.hasReceived || !this.isDoctorsOwn)))) {
      throw new CheckFailed("No event comes over it.", CURE_MTU);
    }
    return "Open, and events come over it.";
  }

  end() {
    if (this.isDoctorsOwn) this.call?.close(1000);
  }

  /** A call of the doctor's own; it gives up as soon as the page's calls do. */
  dial() {
    this.isDoctorsOwn = true;
    const call = new WebRtcCall(this.page.client.credential, () => {});
    call.onmessage = () => (this.hasReceived = true);
    call.onclose = ({ reason }) => (this.endReason = reason);
    return call;
  }

  /** @param {RTCPeerConnection} connection */
  observe(connection) {
    if (connection.signalingState === "stable") this.answer = connection.remoteDescription?.sdp ?? this.answer;
    if (["connected", "completed"].includes(connection.iceConnectionState)) this.pair ??= chosenPair(connection);
    if (connection.connectionState === "connected") this.isEncrypted = true;
  }

  get signalledCall() {
    if (this.call === null) throw new Error("signal() comes first");
    return this.call;
  }

  /** Whether the call comes to that before it is over. @param {() => boolean} isReached @returns {Promise<boolean>} */
  reaches(isReached) {
    const call = this.signalledCall;
    return new Promise((resolve) => {
      const look = () => {
        const found = isReached();
        const isOver = call.isOver && (!this.isDoctorsOwn || this.endReason !== "");
        if (!found && !isOver) return;
        clearInterval(timer);
        resolve(found);
      };
      const timer = setInterval(look, LOOK_EVERY_MS);
      look();
    });
  }
}

/** @param {RTCPeerConnection} connection @returns {Promise<Report[]>} */
const reports = async (connection) => [...(await connection.getStats()).values()];

/** @param {RTCPeerConnection} connection @returns {Promise<{local: Report, remote: Report}>} */
async function chosenPair(connection) {
  const all = await reports(connection);
  const byId = (/** @type {string | undefined} */ id) => all.find((report) => report.id === id) ?? { type: "" };
  const transport = all.find(({ type }) => type === "transport");
  const pair = all.find(({ id }) => id === transport?.selectedCandidatePairId) ?? all.find(({ type, nominated }) => type === "candidate-pair" && nominated);
  return { local: byId(pair?.localCandidateId), remote: byId(pair?.remoteCandidateId) };
}

/** Each once: an SDP may tell them in every section. @param {string} sdp */
function candidatesOf(sdp) {
  const found = sdp.matchAll(/^a=candidate:\S+ \d+ \w+ \d+ (\S+) \d+ typ (\w+)/gim);
  const lines = new Map([...found].map(([, address, kind]) => [`${address} ${kind}`, { address, kind }]));
  return [...lines.values()];
}

/** E.g. "2 host, 1 relay". @param {{kind: string}[]} candidates */
function kinds(candidates) {
  const names = candidates.map(({ kind }) => kind);
  return [...new Set(names)].map((name) => `${names.filter((one) => one === name).length} ${name}`).join(", ") || "none";
}

/** RFC 3986 3.2.2. @param {string} address @param {number} port */
const socket = (address, port) => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);

/** @param {string} clause */
const capitalised = (clause) => clause.charAt(0).toUpperCase() + clause.slice(1);
