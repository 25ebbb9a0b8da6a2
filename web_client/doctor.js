// @ts-check
/** The connection doctor: walks from the address to a session, and names the first step that fails, and its cure. */

import { ask } from "./client.js";

/** @typedef {{name: string, check(): Promise<string>}} Step the text says what was found; Unwell where it fails */

const SESSION_MS = 8_000;

export class Unwell extends Error {
  /** @param {string} what @param {string} cure */
  constructor(what, cure) {
    super(what);
    this.cure = cure;
  }
}

/**
 * Check one step after the other until one fails.
 * @param {Step[]} steps
 * @param {(name: string, state: "ok" | "failed", text: string, cure: string) => void} tell
 * @returns {Promise<boolean>} whether all is well
 */
export async function examine(steps, tell) {
  for (const { name, check } of steps) {
    try {
      tell(name, "ok", await check(), "");
    } catch (error) {
      if (!(error instanceof Unwell)) throw error;
      tell(name, "failed", error.message, error.cure);
      return false;
    }
  }
  return true;
}

/** @param {import("./app.js").App} app @param {() => string | null} key @returns {Step[]} */
export function stepsOf(app, key) {
  return [
    { name: "Address", check: checkAddress },
    { name: "Microphone", check: checkMicrophone },
    { name: "Speaker", check: () => checkSpeaker(app) },
    { name: "Server", check: () => checkServer(key) },
    { name: "Session", check: () => checkSession(app, key) },
  ];
}

async function checkAddress() {
  if (isSecureContext) return location.protocol === "https:" ? "A secure address." : "This very machine: as good as a secure address.";
  throw new Unwell("Not a secure address: browsers give it neither microphone nor sound.", "Open the page over https, or as localhost.");
}

async function checkMicrophone() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  if (!devices.some(({ kind }) => kind === "audioinput")) throw new Unwell("None is there.", "Plug one in, or connect your headset.");
  const state = await permission();
  if (state === "denied") throw new Unwell("It is blocked for this page.", "Allow it in the site settings, left of the address.");
  return state === "granted" ? "There, and allowed." : "There; the browser asks you when you press Talk.";
}

/** "" where the browser does not tell. */
async function permission() {
  try {
    return (await navigator.permissions.query({ name: /** @type {PermissionName} */ ("microphone") })).state;
  } catch {
    return ""; // Firefox knows no such name
  }
}

/** @param {import("./app.js").App} app */
async function checkSpeaker(app) {
  const context = await app.speaker.start(); // pressing the button is a gesture
  await app.speaker.unblock();
  if (context?.state !== "running") throw new Unwell("The browser holds sound back.", "Allow sound for this page in the site settings.");
  return `Sound leaves at ${context.sampleRate} Hz.`;
}

/** @param {() => string | null} key */
async function checkServer(key) {
  let ready;
  try {
    ready = (await ask("readyz", key())).body;
  } catch {
    throw new Unwell("It does not answer.", "Is it running, and is this device in the same network?");
  }
  if (ready.full === true) throw new Unwell("Every seat is taken.", "Wait for one, or raise --sessions-max on the server.");
  if (ready.ready !== true) throw new Unwell(`Not ready. ${ready.detail ?? ""}`, "Wait a moment after a start; else look at its log.");
  return "It is there, and ready.";
}

/** @param {import("./app.js").App} app @param {() => string | null} key */
async function checkSession(app, key) {
  if (app.link === "open") return `One is open. Connected by ${app.client.choice.note}.`;
  const about = await ask("v1/models", key());
  if (about.status === 401) throw new Unwell("The server wants another key.", "Press Talk, and give the one you were told.");
  await new Promise((resolve, reject) => {
    const socket = app.client.dial(key(), "websocket");
    const timer = setTimeout(() => socket.close(), SESSION_MS);
    socket.onmessage = () => resolve(socket.close(1000));
    socket.onclose = () => {
      clearTimeout(timer);
      reject(new Unwell("No WebSocket gets through.", "A proxy between has to let WebSockets through."));
    };
  });
  return "A WebSocket gets through.";
}
