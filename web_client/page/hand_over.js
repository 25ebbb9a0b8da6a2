// @ts-check
/**
 * Continue on another device: the link that takes a conversation along, as a QR code, and what the other device makes of
 * it. The link carries the token in its fragment, which browsers send to nobody.
 */

import { byId } from "./dom.js";
import { fetchQrCode } from "./qr_code.js";

const FRAGMENT = /^#resume=(rt_[\w.~-]+)$/;

export class HandOver {
  /** @param {() => void} ask the server for a token @param {() => string | null} key */
  constructor(ask, key) {
    this.key = key;
    this.dialog = byId("hand-over", HTMLDialogElement);
    this.button = byId("hand-over-button", HTMLButtonElement);
    this.link = byId("hand-over-link", HTMLInputElement);
    this.until = byId("hand-over-until", HTMLElement);
    this.untilMs = 0;
    this.ticking = 0;
    this.button.addEventListener("click", ask);
    byId("hand-over-close", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    const copy = byId("hand-over-copy", HTMLButtonElement);
    copy.addEventListener("click", () => void this.copy(copy));
    this.dialog.addEventListener("close", () => this.forget());
    byId("hand-over-host", HTMLElement).textContent = location.host;
    byId("hand-over-reach", HTMLElement).hidden = !isLoopback(location.hostname);
  }

  /** @param {boolean} available there is a conversation that can move */
  setAvailable(available) {
    this.button.disabled = !available;
    if (!available && this.dialog.open) this.dialog.close();
  }

  /** @param {string} token @param {number} untilMs since the epoch */
  show(token, untilMs) {
    this.untilMs = untilMs;
    this.link.value = linkOf(token);
    void this.drawCode(this.link.value);
    this.dialog.classList.remove("stale");
    clearInterval(this.ticking);
    this.ticking = window.setInterval(() => this.tick(), 1000);
    this.tick();
    if (!this.dialog.open) this.dialog.showModal();
    byId("hand-over-title", HTMLElement).focus();
  }

  /** Without a code, the link is there to be copied. @param {string} link */
  async drawCode(link) {
    this.dialog.classList.remove("without-code");
    const drawn = await fetchQrCode(link, this.key());
    if (this.link.value !== link) return; // closed, or over, in the meantime
    this.dialog.classList.toggle("without-code", drawn === null);
    const code = byId("hand-over-code", SVGSVGElement);
    code.replaceChildren(...(drawn?.children ?? []));
    if (drawn !== null) code.setAttribute("viewBox", drawn.getAttribute("viewBox") ?? "");
  }

  tick() {
    const left = Math.ceil((this.untilMs - Date.now()) / 1000);
    this.dialog.classList.toggle("stale", left <= 0);
    const minutes = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    this.until.textContent = left > 0 ? `It works once, for another ${minutes}.` : "Its time is over. Close this, and ask for another one.";
    if (left <= 0) this.forget();
  }

  /** Whoever has the link has the conversation. */
  forget() {
    clearInterval(this.ticking);
    this.link.value = "";
    byId("hand-over-code", SVGSVGElement).replaceChildren();
  }

  /** @param {HTMLButtonElement} button */
  async copy(button) {
    this.link.select();
    try {
      const clipboard = navigator.clipboard; // browsers have none for pages from an address that is not secure
      await clipboard?.writeText(this.link.value);
      button.textContent = clipboard ? "Copied" : "Copy it by hand";
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      button.textContent = "Copy it by hand";
    }
    setTimeout(() => (button.textContent = "Copy the link"), 1500);
  }
}

/** The token that this page was opened with, once: it does not stay in the address. @returns {string | null} */
export function takeHandOverToken() {
  const token = FRAGMENT.exec(location.hash)?.[1] ?? null;
  if (token !== null) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

/** @param {string} token */
function linkOf(token) {
  const url = new URL(document.baseURI);
  url.search = "";
  url.hash = `resume=${token}`;
  return url.href;
}

/** @param {string} host */
const isLoopback = (host) => host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || host.startsWith("127.");
