// @ts-check
/**
 * The connection doctor: walks from the address to a call, in the order of `parlour doctor`, and names the first step that
 * fails, and its cure.
 */

import { fetchJson } from "../connection/client.js";
import { CallChecks } from "./call_checks.js";
import { CheckFailed } from "./check_failed.js";

/** @typedef {import("./call_checks.js").Examined} Examined */
/** @typedef {{name: string, check(): Promise<string>}} Step the text says what was found; CheckFailed where it fails */
/** @typedef {(name: string, state: "ok" | "failed", text: string, cure: string) => void} Report */

const SESSION_MS = 8_000;

/**
 * Check one step after the other until one fails.
 * @param {Examined} page @param {() => string | null} key @param {Report} report
 * @returns {Promise<boolean>} whether all is well
 */
export async function examine(page, key, report) {
  const examination = new Examination(page, key);
  try {
    for (const { name, check } of examination.steps()) {
      try {
        report(name, "ok", await check(), "");
      } catch (error) {
        if (!(error instanceof CheckFailed)) throw error;
        report(name, "failed", error.message, error.cure);
        return false;
      }
    }
  } finally {
    examination.call.end();
  }
  return true;
}

class Examination {
  /** @param {Examined} page @param {() => string | null} key */
  constructor(page, key) {
    this.page = page;
    this.key = key;
    this.call = new CallChecks(page);
  }

  /** @returns {Step[]} */
  steps() {
    return [
      { name: "Address", check: checkAddress },
      { name: "Certificate", check: checkCertificate },
      { name: "Microphone", check: checkMicrophone },
      { name: "Permission", check: checkPermission },
      { name: "Speaker", check: () => this.checkSpeaker() },
      { name: "Server", check: () => this.checkServer() },
      { name: "Readiness", check: () => this.checkReady() },
      { name: "Key", check: () => this.checkKey() },
      { name: "Session", check: () => this.checkSession() },
      { name: "Signalling", check: () => this.call.signal() },
      { name: "ICE", check: () => this.call.findPath() },
      { name: "TURN", check: () => this.call.relay() },
      { name: "Encryption", check: () => this.call.encrypt() },
      { name: "Data channel", check: () => this.call.openChannel() },
    ];
  }

  async checkSpeaker() {
    const { speaker } = this.page.output;
    const context = await speaker.start(); // pressing the button is a gesture
    await speaker.unblock();
    if (context?.state !== "running") throw new CheckFailed("The browser holds sound back.", "Allow sound for this page in the site settings.");
    return `Sound leaves at ${context.sampleRate} Hz.`;
  }

  async checkServer() {
    const { status, body } = await this.ask("v1/parlour");
    if (status !== 200 && status !== 401) {
      throw new CheckFailed(`It answers with HTTP ${status}, not as Parlour does.`, "Is a proxy between that does not know where Parlour is?");
    }
    this.call.hasTurn = body.turn === true;
    return `It is there: ${body.model_title || "Parlour"}.`;
  }

  async checkReady() {
    const { body } = await this.ask("readyz");
    if (body.full === true && this.page.connectionState !== "open") {
      throw new CheckFailed("Every seat is taken.", "Wait for one, or raise --sessions-max on the server.");
    }
    if (body.full === true) return "Every seat is taken, and one of them is yours.";
    if (body.ready !== true) throw new CheckFailed(`Not ready. ${body.detail ?? ""}`, "Wait a moment after a start; else look at its log.");
    return "A new conversation would be answered at once.";
  }

  async checkKey() {
    if (this.page.connectionState === "open") return "Accepted, or none is needed.";
    const { status } = await this.ask("v1/models");
    if (status === 401) throw new CheckFailed("The server wants another key.", "Press Talk, and give the one you were told.");
    return this.key() === null ? "None is needed." : "Accepted.";
  }

  async checkSession() {
    if (this.page.connectionState === "open") return `One is open. Connected by ${this.page.client.choice.note}.`;
    await new Promise((resolve, reject) => {
      const socket = this.page.client.dial(this.key(), "websocket");
      const timer = setTimeout(() => socket.close(), SESSION_MS);
      socket.onmessage = () => resolve(socket.close(1000));
      socket.onclose = () => {
        clearTimeout(timer);
        reject(new CheckFailed("No WebSocket gets through.", "A proxy between has to let WebSockets through."));
      };
    });
    return "A WebSocket gets through.";
  }

  /** @param {string} path */
  async ask(path) {
    try {
      return await fetchJson(path, this.key());
    } catch {
      throw new CheckFailed("It does not answer.", "Is it running, and is this device in the same network?");
    }
  }
}

async function checkAddress() {
  if (isSecureContext) return `${location.host} counts as secure.`;
  throw new CheckFailed("Not a secure address: browsers give it neither microphone nor sound.", "Open the page over https, or as localhost.");
}

async function checkCertificate() {
  return location.protocol === "https:" ? "This browser trusts it." : "None, and none is needed on this very machine.";
}

async function checkMicrophone() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const count = devices.filter(({ kind }) => kind === "audioinput").length;
  if (count === 0) throw new CheckFailed("None is there.", "Plug one in, or connect your headset.");
  return count === 1 ? "One is there." : `${count} are there.`;
}

async function checkPermission() {
  const state = await permission();
  if (state === "denied") throw new CheckFailed("The microphone is blocked for this page.", "Allow it in the site settings, left of the address.");
  return state === "granted" ? "This page may listen." : "The browser asks you when you press Talk.";
}

/** "" where the browser does not tell. */
async function permission() {
  try {
    return (await navigator.permissions.query({ name: /** @type {PermissionName} */ ("microphone") })).state;
  } catch {
    return ""; // Firefox knows no such name
  }
}
