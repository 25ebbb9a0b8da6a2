// @ts-check
/** Which transport the page takes: WebRTC, unless the address asks for another one or this tab has seen it fail while a WebSocket opened. */

import { storeFallback, storedFallback } from "./tab_storage.js";

/** @typedef {"webrtc" | "websocket"} Transport */

export class TransportChoice {
  /** @param {string} query of the page's address: `?transport=webrtc` or `?transport=websocket` leaves no choice */
  constructor(query) {
    const asked = new URLSearchParams(query).get("transport");
    /** @type {Transport | null} */
    this.forced = asked === "webrtc" || asked === "websocket" ? asked : null;
    this.fallback = storedFallback();
    this.webRtcFailure = "";
    this.sendsClips = false; // an event over a call holds 256 KiB, five seconds of audio
    /** @type {Transport | null} of the connection that was opened last */
    this.used = null;
  }

  /** @returns {Transport} */
  get next() {
    if (this.sendsClips) return "websocket";
    if (this.forced !== null) return this.forced;
    if (typeof RTCPeerConnection !== "function" || !isSecureContext) return "websocket";
    return this.fallback === null ? "webrtc" : "websocket";
  }

  /** WebRTC did not open. @param {string} why @returns {boolean} whether a WebSocket is to be tried instead */
  failed(why) {
    this.webRtcFailure = why;
    return this.forced === null;
  }

  /** @param {Transport} transport */
  opened(transport) {
    this.used = transport;
    if (transport === "websocket" && this.webRtcFailure !== "") {
      this.fallback = this.webRtcFailure; // what failed was WebRTC, and not the server or the network
      storeFallback(this.webRtcFailure);
    }
    this.webRtcFailure = "";
  }

  /** For the drawer. */
  get note() {
    if (this.used === null) return "–";
    if (this.used === "webrtc") return "WebRTC";
    if (this.sendsClips) return "WebSocket, for clips are too large for a call";
    if (this.forced !== null) return "WebSocket, as the address asks";
    if (this.fallback !== null) return `WebSocket; WebRTC: ${this.fallback}`;
    return "WebSocket; this address or browser has no WebRTC";
  }
}
