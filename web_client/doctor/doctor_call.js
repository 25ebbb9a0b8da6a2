// @ts-check
/** The doctor's steps over WebRTC: the call that is open, or one of its own, and how far it comes. */

import { WebRtcCall } from "../connection/webrtc_call.js";
import { Unwell } from "./unwell.js";

/**
 * What is examined of the page: its connection and its loudspeaker.
 * @typedef {{
 *   readonly connectionState: import("../connection/client.js").ConnectionState,
 *   readonly client: import("../connection/client.js").RealtimeClient, readonly output: import("../audio/audio_output.js").AudioOutput}} Examined
 */
/** @typedef {{type: string, [field: string]: any}} Report one of an RTCStatsReport */

const LOOK_EVERY_MS = 30;
const NO_PATH =
  "Everything but WebRTC works, and the page takes a WebSocket. On the server: open its UDP ports, name the address at which it is reached (PARLOUR_WEBRTC_ADDRESS), or use a TURN server.";
const NO_RELAY = "On the server: check PARLOUR_TURN_URL, PARLOUR_TURN_USER and PARLOUR_TURN_PASSWORD, and that the TURN server runs.";
const MEDDLED = "Something between changes what is sent: a proxy that rewrites answers, or a firewall that looks in.";
const SWALLOWED = "Small packets get through and large ones do not: lower the MTU of the VPN or tunnel between.";

export class CallSteps {
  /** @param {Examined} page */
  constructor(page) {
    this.page = page;
    this.hasTurn = false;
    this.isOwn = false;
    this.hasHeard = false;
    this.whyOver = "";
    this.answer = ""; // what was reached is noted when it is: a call that fails is soon closed, and knows nothing any more
    this.isEncrypted = false;
    /** @type {Promise<{local: Report, remote: Report}> | null} */
    this.pair = null;
    /** @type {WebRtcCall | null} */
    this.call = null;
  }

  async signal() {
    if (typeof RTCPeerConnection !== "function") throw new Unwell("This browser has no WebRTC.", "The page takes a WebSocket, which needs none.");
    const open = this.page.connectionState === "open" ? this.page.client.call : null;
    this.call = open ?? this.dial();
    const { connection } = this.call;
    for (const change of ["signalingstatechange", "iceconnectionstatechange", "connectionstatechange"]) {
      connection.addEventListener(change, () => this.note(connection));
    }
    this.note(connection);
    const since = performance.now();
    if (!(await this.comesTo(() => this.answer !== ""))) {
      throw new Unwell(`${capital(this.whyOver)}.`, "Look at the server's log; does a proxy between forward POST requests to v1/realtime/calls?");
    }
    return open ? "A call is open." : `A call was answered after ${Math.round(performance.now() - since)} ms.`;
  }

  async findPath() {
    const there = candidatesOf(this.answer);
    if (!(await this.comesTo(() => this.pair !== null)) || this.pair === null) {
      const addresses = [...new Set(there.map(({ address }) => address))].join(", ") || "the server, which named no address";
      throw new Unwell(`No UDP gets through to ${addresses}.`, NO_PATH);
    }
    const here = candidatesOf(this.signalled.connection.localDescription?.sdp ?? "");
    const { local, remote } = await this.pair;
    const path = `${local.candidateType} to ${remote.candidateType}, ${remote.protocol} ${socket(remote.address, remote.port)}`;
    return `${path} (candidates: ${kinds(here)} here, ${kinds(there)} there).`;
  }

  async relay() {
    const relays = candidatesOf(this.answer).filter(({ kind }) => kind === "relay");
    if (this.hasTurn && relays.length === 0) throw new Unwell("The TURN server that is configured gave no relay.", NO_RELAY);
    if (relays.length > 0) return `Relays at ${relays.map(({ address }) => address).join(", ")}.`;
    return "Not configured, and not needed on this path.";
  }

  async encrypt() {
    if (!(await this.comesTo(() => this.isEncrypted))) {
      throw new Unwell("The DTLS handshake failed, or showed another certificate than agreed.", MEDDLED);
    }
    return "DTLS, with the certificate that was agreed.";
  }

  async openChannel() {
    const { channel } = this.signalled;
    if (!(await this.comesTo(() => channel.readyState === "open" && (this.hasHeard || !this.isOwn)))) {
      throw new Unwell("No event comes over it.", SWALLOWED);
    }
    return "Open, and events come over it.";
  }

  end() {
    if (this.isOwn) this.call?.close(1000);
  }

  /** A call of the doctor's own; it gives up as soon as the page's calls do. */
  dial() {
    this.isOwn = true;
    const call = new WebRtcCall(this.page.client.credential, () => {});
    call.onmessage = () => (this.hasHeard = true);
    call.onclose = ({ reason }) => (this.whyOver = reason);
    return call;
  }

  /** @param {RTCPeerConnection} connection */
  note(connection) {
    if (connection.signalingState === "stable") this.answer = connection.remoteDescription?.sdp ?? this.answer;
    if (["connected", "completed"].includes(connection.iceConnectionState)) this.pair ??= chosenPair(connection);
    if (connection.connectionState === "connected") this.isEncrypted = true;
  }

  get signalled() {
    if (this.call === null) throw new Error("signal() comes first");
    return this.call;
  }

  /** Whether the call comes to that before it is over. @param {() => boolean} isSo @returns {Promise<boolean>} */
  comesTo(isSo) {
    const call = this.signalled;
    return new Promise((resolve) => {
      const look = () => {
        const found = isSo();
        const isOver = call.isOver && (!this.isOwn || this.whyOver !== "");
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
const capital = (clause) => clause.charAt(0).toUpperCase() + clause.slice(1);
