// @ts-check
/** The page: elements, and what each of them shows and does. All state is the app's. */

import { fetchAbout, showAbout } from "./about.js";
import { App } from "./app.js";
import { ask } from "./client.js";
import { Devices } from "./devices.js";
import { byId } from "./dom.js";
import { examine, stepsOf } from "./doctor.js";
import { Drawer } from "./drawer.js";
import { asLines } from "./event_log.js";
import { HandOver, takeOffer } from "./hand_over.js";
import { listenToKeys } from "./keyboard.js";
import { recall, recallKey, remember, rememberKey, rememberLeft, takeLeft } from "./memory.js";
import { saveAs, stamp } from "./save.js";
import { Screens } from "./screens.js";
import { Shape } from "./shape.js";
import { TranscriptView, asText } from "./transcript_view.js";
import { WebRtcLink } from "./webrtc_link.js";

/** @typedef {import("./shape.js").Face} Face */

const NOTICE_MS = 8_000;
const ROUND_TRIP_EVERY_MS = 5_000;
const METER_VALUE_EVERY_MS = 500; // the bar moves with the sound; what a screen reader can ask for need not

/** @type {Record<Face, [word: string, hint: string]>} */
const FACES = {
  ready: ["Ready", "Press Talk, and ask something."],
  connecting: ["Connecting", "You can speak already. Nothing is lost."],
  listening: ["Listening", "Say something."],
  hearing: ["Hearing you", "Take your time."],
  thinking: ["Thinking", "One moment."],
  speaking: ["Speaking", "You can interrupt at any time."],
  muted: ["Muted", "Your microphone is off."],
  failed: ["Not connected", ""],
};

const stateWord = byId("state-word", HTMLElement);
const hint = byId("hint", HTMLElement);
const talk = byId("talk", HTMLButtonElement);
const mute = byId("mute", HTMLButtonElement);
const stop = byId("stop", HTMLButtonElement);
const text = byId("text", HTMLInputElement);
const notice = byId("notice", HTMLElement);
const announcer = byId("announcer", HTMLElement);
const script = byId("script", HTMLElement);
const settings = byId("settings", HTMLElement);
const settingsButton = byId("settings-button", HTMLButtonElement);
const drawerButton = byId("drawer-button", HTMLButtonElement);
const subtitlesButton = byId("subtitles", HTMLButtonElement);
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

const shape = new Shape(byId("shape", SVGSVGElement), stillness);
const words = new TranscriptView(script, byId("lines", HTMLOListElement));
const screens = new Screens(byId("screen", HTMLElement), obey);
const handOver = new HandOver(() => {
  openSettings(false);
  app.client.send({ type: "parlour.hand_over" });
});
/** @type {string | null} the token of a conversation that can go on here */
let offer = null;
let redrawing = false;
let aboutNeedsKey = false;
let noticeTimer = 0;
let roundTripMs = NaN;
/** @type {import("./webrtc_link.js").LinkFigures | null} of a call */
let linkFigures = null;
/** @type {WakeLockSentinel | null} */
let wakeLock = null;

const app = new App(
  {
    changed: render,
    levels: renderLevels,
    logged: redrawSoon,
    announced: announce,
    noticed: showNotice,
    unsent: (message) => (text.value ||= message),
    keyRefused: () => rememberKey(null),
    handedOver: (token, untilMs) => handOver.show(token, untilMs),
  },
  recallKey,
);
const drawer = new Drawer(byId("drawer", HTMLElement), app.log, app.turns);
const devices = new Devices(
  app,
  {
    microphone: byId("microphone", HTMLSelectElement),
    speaker: byId("speaker", HTMLSelectElement),
    speakerField: byId("speaker-field", HTMLElement),
  },
  () => void startTalking(),
);

// What is shown ---------------------------------------------------------------------------

/** The word and the shape change at once; the words of the conversation with the next frame. */
function render() {
  const face = app.face;
  const [word, faceHint] = wording(face);
  document.documentElement.dataset.state = face;
  stateWord.textContent = word;
  hint.textContent = faceHint;
  shape.show(face, word);
  showObstacle();
  handOver.possible(app.link === "open" && app.client.resumable);
  const talking = app.running && (app.microphone.on || app.asking !== null || app.link !== "open");
  talk.textContent = talking ? "End" : "Talk";
  talk.classList.toggle("talking", talking);
  mute.disabled = !app.microphone.on;
  mute.setAttribute("aria-pressed", String(app.microphone.muted && app.microphone.on));
  stop.disabled = !(app.running && app.conversation.answering(performance.now()));
  const empty = app.conversation.lines.length === 0;
  document.body.classList.toggle("empty", empty);
  byId("save-transcript", HTMLButtonElement).disabled = empty;
  byId("fresh", HTMLButtonElement).disabled = empty;
  byId("space-does", HTMLElement).textContent = app.microphone.on ? (app.microphone.muted ? "unmute" : "mute") : "talk";
  redrawSoon();
}

function showObstacle() {
  const obstacle = app.obstacle;
  if (obstacle === null) return screens.hide();
  const title = screens.show(obstacle);
  if (title !== "") announce(title);
}

/** @param {Face} face @returns {[string, string]} */
function wording(face) {
  if (app.restoring) {
    return face === "speaking" ? ["Speaking", "The connection is being restored."] : ["Reconnecting", "You can go on speaking. Nothing is lost."];
  }
  if (app.trouble === "moved") return ["Moved", ""];
  if (app.trouble === "offered") return ["Ready", ""];
  if (face === "failed") {
    if (app.trouble === "full") return ["Full", ""];
    if (app.trouble === "key") return ["Key needed", ""];
    if (app.trouble !== null || !app.obstacle) return ["Not connected", ""];
    return [app.microphoneTrouble !== null ? "No microphone" : "No sound", ""];
  }
  if (face === "connecting" && app.trouble === "warming") return ["Warming up", ""];
  if (face === "connecting" && app.trouble !== null) return [app.trouble === "lost" ? "Reconnecting" : "Trying again", ""];
  if (face === "connecting" && app.askingUser) return ["Waiting", "Allow the microphone when your browser asks."];
  if (face === "connecting" && !app.microphone.on) return ["Connecting", "One moment."];
  if (face === "ready" && app.link === "open") return ["Ready", "Write below, or press Talk."];
  if (face === "ready" && app.conversation.lines.length > 0) return ["Ready", "Press Talk to go on."];
  return FACES[face];
}

function redrawSoon() {
  if (redrawing) return;
  redrawing = true;
  requestAnimationFrame(() => {
    redrawing = false;
    words.draw(app.conversation);
    if (!drawer.isOpen) return;
    drawer.drawLog();
    drawFigures();
    drawTurnsWhenChanged();
  });
}

let turnsDrawn = "";
function drawTurnsWhenChanged() {
  const now = JSON.stringify(app.turns.turns());
  if (now === turnsDrawn) return;
  turnsDrawn = now;
  drawer.drawTurns();
}

function drawFigures() {
  const rounded = (/** @type {number} */ ms) => (Number.isNaN(ms) ? "–" : `${Math.round(ms)} ms`);
  /** @type {Record<string, string>} */
  const ofSound = app.conversation.serverPlays
    ? {
        Jitter: rounded(linkFigures?.jitterMs ?? NaN),
        Lost: Number.isNaN(linkFigures?.lostShare ?? NaN) ? "–" : `${(100 * (linkFigures?.lostShare ?? 0)).toFixed(1)} %`,
      }
    : {
        "Buffer depth": rounded(app.bufferedMs),
        Underruns: String(app.underruns),
        "Sound out": app.speaker.context ? `${Math.round(app.speaker.latencySeconds() * 1000)} ms late` : "–",
        Refused: rounded(app.refusedMs),
      };
  drawer.drawFigures({
    "Connected by": app.client.choice.note,
    "Round trip": rounded(linkFigures?.roundTripMs ?? roundTripMs),
    ...ofSound,
    "Device rate": app.speaker.context ? `${app.speaker.context.sampleRate} Hz` : "–",
  });
}

const meters = [byId("microphone-level", HTMLElement), byId("speaker-level", HTMLElement)];
let metersTold = 0;
function renderLevels() {
  const levels = [app.microphoneLevel, app.speakerLevel];
  const telling = performance.now() - metersTold > METER_VALUE_EVERY_MS;
  meters.forEach((meter, index) => {
    const bar = /** @type {HTMLElement} */ (meter.firstElementChild);
    bar.style.transform = `scaleX(${levels[index].toFixed(3)})`;
    if (telling) meter.setAttribute("aria-valuenow", String(Math.round(levels[index] * 100)));
  });
  if (telling) metersTold = performance.now();
  shape.hear(app.face === "speaking" ? app.speakerLevel : app.microphoneLevel);
  if (drawer.isOpen) redrawSoon();
}

/** @param {string} line */
function announce(line) {
  announcer.append(Object.assign(document.createElement("p"), { textContent: line }));
  while (announcer.childElementCount > 5) announcer.firstElementChild?.remove();
}

/** @param {string} message */
function showNotice(message) {
  clearTimeout(noticeTimer);
  notice.textContent = message;
  notice.hidden = false;
  noticeTimer = window.setTimeout(() => (notice.hidden = true), NOTICE_MS);
}

// What the user does ----------------------------------------------------------------------

async function startTalking() {
  if (aboutNeedsKey && recallKey() === null && !app.client.tokenIsKey) return app.needsKey("");
  await app.talk();
  await devices.refresh();
  await stayAwake();
}

/** @param {string} message */
function write(message) {
  if (aboutNeedsKey && recallKey() === null && !app.client.tokenIsKey) return app.needsKey("");
  text.value = "";
  app.type(message);
}

/** In a gesture, for there will be sound. */
async function continueHere() {
  if (offer === null) return;
  const left = { token: offer, talking: true, tokenIsKey: recallKey() === null };
  offer = null;
  forget();
  await app.comeBack(left);
  await devices.refresh();
  await stayAwake();
}

function lookForOffer() {
  offer = takeOffer() ?? offer;
  if (offer !== null && !app.running) app.standStill("offered");
}

function forget() {
  app.startAfresh();
  words.clear();
}

function endTalking() {
  app.end();
  void wakeLock?.release();
  wakeLock = null;
}

/** @param {import("./screens.js").Action} action */
function obey(action) {
  switch (action) {
    case "retry-microphone":
      return void startTalking();
    case "type-instead":
      app.writeInstead();
      return text.focus();
    case "enable-sound":
      return void app.unblockSound();
    case "retry-now":
      return app.client.retryNow();
    case "continue-here":
      return void continueHere();
    case "begin-anew":
      forget();
      return void startTalking();
    case "end":
      return endTalking();
  }
}

/** A telephone must not go to sleep in mid-conversation; where it cannot be asked, it may. */
async function stayAwake() {
  if (!app.running || wakeLock || !navigator.wakeLock) return;
  try {
    wakeLock = await navigator.wakeLock.request("screen");
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

/** @param {boolean} shown */
function showWords(shown) {
  subtitlesButton.setAttribute("aria-pressed", String(shown));
  document.body.classList.toggle("no-words", !shown);
  remember("words", shown ? "" : "off");
}

/** @param {boolean} open */
function openDrawer(open) {
  if (!open && byId("drawer", HTMLElement).contains(document.activeElement)) drawerButton.focus();
  drawerButton.setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("with-drawer", open);
  drawer.toggle(open);
  turnsDrawn = "";
  if (open) void measureRoundTrip();
  redrawSoon();
}

/** @param {boolean} open */
function openSettings(open) {
  if (!open && settings.contains(document.activeElement)) settingsButton.focus();
  settings.hidden = !open;
  settingsButton.setAttribute("aria-expanded", String(open));
  if (open) void devices.refresh();
}

async function measureRoundTrip() {
  const since = performance.now();
  try {
    await ask("healthz", recallKey());
    roundTripMs = performance.now() - since;
  } catch {
    roundTripMs = NaN; // no answer
  }
  const link = app.client.socket;
  linkFigures = app.link === "open" && link instanceof WebRtcLink ? await link.figures() : null;
  if (!drawer.isOpen) return;
  drawFigures();
  setTimeout(() => drawer.isOpen && void measureRoundTrip(), ROUND_TRIP_EVERY_MS);
}

/** A button pressed with the mouse gives the keys back to the page: Space is for talking. @param {MouseEvent} event */
function giveKeysBack(event) {
  if (event.detail > 0 && event.target instanceof Element) event.target.closest("button")?.blur();
}

async function checkConnection() {
  const button = byId("doctor-check", HTMLButtonElement);
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  drawer.clearDoctor();
  const well = await examine(stepsOf(app, recallKey), (...step) => drawer.addStep(...step));
  button.setAttribute("aria-busy", "false");
  announce(well ? "Connection: all is well." : `Connection: ${drawer.lastStep}`);
}

byId("doctor-check", HTMLButtonElement).addEventListener("click", () => void checkConnection());
talk.addEventListener("click", () => (talk.classList.contains("talking") ? endTalking() : void startTalking()));
mute.addEventListener("click", () => app.toggleMute());
stop.addEventListener("click", () => app.stopAnswer());
subtitlesButton.addEventListener("click", () => showWords(document.body.classList.contains("no-words")));
settingsButton.addEventListener("click", () => openSettings(settings.hidden));
drawerButton.addEventListener("click", () => openDrawer(!drawer.isOpen));
byId("drawer-close", HTMLButtonElement).addEventListener("click", () => openDrawer(false));
byId("intro-more", HTMLButtonElement).addEventListener("click", () => openSettings(true));
byId("fresh", HTMLButtonElement).addEventListener("click", forget);
byId("save-transcript", HTMLButtonElement).addEventListener("click", () =>
  saveAs(`Parlour ${stamp(new Date())}.txt`, `${asText(app.conversation)}\n`, "text/plain"),
);
byId("log-save", HTMLButtonElement).addEventListener("click", () =>
  saveAs(`Parlour events ${stamp(new Date())}.jsonl`, `${asLines(app.log.entries)}\n`, "application/jsonl"),
);
byId("type", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const message = text.value.trim();
  if (message !== "") write(message);
});
byId("key-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("key", HTMLInputElement);
  rememberKey(field.value.trim());
  field.value = "";
  void startTalking();
});
document.addEventListener("click", giveKeysBack);
document.addEventListener("pointerdown", (event) => {
  const inside = event.target instanceof Element && event.target.closest("#settings, #settings-button, #intro-more");
  if (!inside && !settings.hidden) openSettings(false);
});
document.addEventListener("visibilitychange", () => {
  wakeLock = document.hidden ? null : wakeLock; // the browser took it
  if (!document.hidden) void stayAwake();
});
addEventListener("online", () => app.client.retryNow());
addEventListener("hashchange", lookForOffer);
addEventListener("pagehide", () => rememberLeft(app.leave()));
addEventListener("pageshow", ({ persisted }) => persisted && comeBack());
listenToKeys({
  space: () => {
    if (app.microphone.on) app.toggleMute();
    else if (app.asking === null) void startTalking();
  },
  escape: (field) => {
    if (!settings.hidden) openSettings(false);
    else if (app.running && app.conversation.answering(performance.now())) app.stopAnswer();
    else if ((app.running || app.obstacle !== null) && (field === null || screens.has(field))) endTalking();
    field?.blur();
  },
  words: () => showWords(document.body.classList.contains("no-words")),
  details: () => openDrawer(!drawer.isOpen),
});

/** The page was loaded again, or taken out of the browser's memory: the conversation waits for a while. */
function comeBack() {
  const left = takeLeft();
  if (left !== null && Date.now() < left.untilMs) void app.comeBack(left);
}

showWords(recall("words") !== "off");
render();
comeBack();
lookForOffer();
fetchAbout().then((about) => {
  if (!about) return;
  aboutNeedsKey = about.needs_key;
  showAbout(about, app, showNotice);
});
