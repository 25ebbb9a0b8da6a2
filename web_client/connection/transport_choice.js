// @ts-check
/** Which way the page connects: WebRTC, unless the address asks for another one or this tab has seen that it leads nowhere. */

import { storeFallback, storedFallback } from "./tab_storage.js";

/** @typedef {"webrtc" | "websocket"} Way */

export class TransportChoice {
  /** @param {string} query of the page's address: `?transport=webrtc` or `?transport=websocket` leaves no choice */
  constructor(query) {
    const asked = new URLSearchParams(query).get("transport");
    /** @type {Way | null} */
    this.forced = asked === "webrtc" || asked === "websocket" ? asked : null;
    this.fallback = storedFallback();
    this.suspicion = "";
    /** @type {Way | null} of the connection that was opened last */
    this.used = null;
  }

  /** @returns {Way} */
  get next() {
    if (this.forced !== null) return this.forced;
    if (typeof RTCPeerConnection !== "function" || !isSecureContext) return "websocket";
    return this.fallback === null ? "webrtc" : "websocket";
  }

  /** WebRTC did not open. @param {string} why @returns {boolean} whether a WebSocket is to be tried instead */
  failed(why) {
    this.suspicion = why;
    return this.forced === null;
  }

  /** @param {Way} way */
  opened(way) {
    this.used = way;
    if (way === "websocket" && this.suspicion !== "") {
      this.fallback = this.suspicion; // what failed was WebRTC, and not the server or the network
      storeFallback(this.suspicion);
    }
    this.suspicion = "";
  }

  /** For the drawer. */
  get note() {
    if (this.used === null) return "–";
    if (this.used === "webrtc") return "WebRTC";
    if (this.forced !== null) return "WebSocket, as the address asks";
    if (this.fallback !== null) return `WebSocket; WebRTC: ${this.fallback}`;
    return "WebSocket; this address or browser has no WebRTC";
  }
}
