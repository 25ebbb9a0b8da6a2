// @ts-check
/** The page: elements, and what each of them shows and does. All state is the app's. */

import { SoundReader } from "../clips/sound_reader.js";
import { storeKey, storeSession, storedKey, takeStoredSession } from "../connection/tab_storage.js";
import { asLines } from "../conversation/event_log.js";
import { textOf } from "../conversation/record.js";
import { joined } from "../conversation/pcm.js";
import { examine } from "../doctor/doctor.js";
import { Archive } from "../keeping/archive.js";
import { Keeper } from "../keeping/keeper.js";
import { fetchAbout, showAbout } from "./about.js";
import { App } from "./app.js";
import { ClipTray } from "./clip_tray.js";
import { DeviceSelect } from "./device_select.js";
import { Conversations } from "./conversations.js";
import { byId } from "./dom.js";
import { download, timestamp } from "./download.js";
import { Drawer } from "./drawer.js";
import { HandOver, takeHandOverToken } from "./hand_over.js";
import { listenToKeys } from "./keyboard.js";
import { LineSounds, soundsOf } from "./line_sounds.js";
import { LiveStats } from "./live_stats.js";
import { Notice } from "./notice.js";
import { preference, setPreference } from "./preferences.js";
import { Screens } from "./screens.js";
import { SoundPlayer } from "./sound_player.js";
import { TextField } from "./text_field.js";
import { TranscriptView } from "./transcript_view.js";
import { obstacleOf, viewStateOf, wording } from "./view_state.js";
import { Visualizer } from "./visualizer.js";
import { ScreenWakeLock } from "./wake_lock.js";

const METER_VALUE_EVERY_MS = 500; // the bar moves with the sound; what a screen reader can ask for need not

const stateWord = byId("state-word", HTMLElement);
const hint = byId("hint", HTMLElement);
const talk = byId("talk", HTMLButtonElement);
const mute = byId("mute", HTMLButtonElement);
const stop = byId("stop", HTMLButtonElement);
const text = byId("text", HTMLTextAreaElement);
const notice = new Notice(byId("notice", HTMLElement));
const announcer = byId("announcer", HTMLElement);
const script = byId("script", HTMLElement);
const settings = byId("settings", HTMLElement);
const settingsButton = byId("settings-button", HTMLButtonElement);
const drawerButton = byId("drawer-button", HTMLButtonElement);
const subtitlesButton = byId("subtitles", HTMLButtonElement);
const drawerRoot = byId("drawer", HTMLElement);
const drawerClose = byId("drawer-close", HTMLButtonElement);
const drawerIsBeside = matchMedia("(min-width: 60rem)"); // the page, and not over it: see panels.css
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

const visualizer = new Visualizer(byId("visualizer", SVGSVGElement), reducedMotion);
const wakeLock = new ScreenWakeLock();
const soundReader = new SoundReader();
const player = new SoundPlayer(() => app.output.speaker.start(), (plays) => app.ear.setSoundPlays(plays));
const lineSounds = new LineSounds(soundReader, player, () => app.conversation.sounds);
const words = new TranscriptView(script, byId("lines", HTMLOListElement), byId("latest", HTMLButtonElement), (line, item) => lineSounds.show(line, item));
const field = new TextField(text, { send: write, cut: (message) => notice.show(message) });
const screens = new Screens(byId("screen", HTMLElement), perform);
const handOver = new HandOver(
  () => {
    openSettings(false);
    app.client.send({ type: "parlour.hand_over" });
  },
  () => app.client.credential,
);
/** @type {string | null} the token of a conversation that can go on here */
let offeredToken = null;
let redrawing = false;
let aboutNeedsKey = false;

const app = new App(
  {
    changed: render,
    levels: renderLevels,
    logged: redrawSoon,
    announced: announce,
    noticed: (message) => notice.show(message),
    unsent: (questions) => {
      field.value ||= questions.map((question) => question.text).join(" ").trim();
      tray.giveBack(questions.flatMap(({ clips }) => /** @type {import("../clips/sound.js").Clip[]} */ (clips)));
    },
    keyRefused: () => storeKey(null),
    handedOver: (token, untilMs) => handOver.show(token, untilMs),
  },
  storedKey,
);
const tray = new ClipTray(app, soundReader, player, render);
const archive = new Archive();
const conversations = new Conversations(archive, {
  record: () => keeper.record(app.conversation),
  sounds: () => app.conversation.lines.flatMap((line) => soundsOf(line, app.conversation.sounds)),
  opening: () => openSettings(false),
  wished: () => keeper.changed(app.conversation),
  deleted: (id) => keeper.deleted(app.conversation, id),
});
/** @type {Keeper} */
const keeper = new Keeper(archive, () => conversations.wishes, soundOf, (trouble) => notice.show(trouble));
const drawer = new Drawer(drawerRoot, app.log, app.turns);
const liveStats = new LiveStats(app, drawer, storedKey);
const deviceSelect = new DeviceSelect(
  app,
  {
    microphone: byId("microphone", HTMLSelectElement),
    speaker: byId("speaker", HTMLSelectElement),
    speakerField: byId("speaker-field", HTMLElement),
  },
  () => void startTalking(),
);

// What is shown ---------------------------------------------------------------------------

/** The word and the visualizer change at once; the words of the conversation with the next frame. */
function render() {
  const state = viewStateOf(app);
  const [word, stateHint] = wording(app, state);
  document.documentElement.dataset.state = state;
  stateWord.textContent = word;
  hint.textContent = stateHint;
  visualizer.show(state, word);
  showObstacle();
  handOver.setAvailable(app.connectionState === "open" && app.client.resumable);
  const talking = app.running && (app.input.on || app.input.pendingRequest !== null || app.connectionState !== "open");
  talk.textContent = talking ? "End" : "Talk";
  talk.classList.toggle("talking", talking);
  mute.disabled = !app.input.on;
  mute.setAttribute("aria-pressed", String(app.input.muted && app.input.on));
  stop.disabled = !(app.running && app.conversation.answering(performance.now()));
  tray.showRecording();
  text.placeholder = tray.clips.length > 0 ? "Ask about it" : "Or write here";
  const empty = app.conversation.lines.length === 0;
  document.body.classList.toggle("empty", empty);
  byId("save-transcript", HTMLButtonElement).disabled = empty;
  const fresh = byId("fresh", HTMLButtonElement);
  fresh.disabled = empty && !app.canBringBack;
  fresh.textContent = app.canBringBack ? "Bring it back" : "Start afresh";
  if (!app.canBringBack) notice.withdraw();
  byId("space-does", HTMLElement).textContent = spaceDoes();
  redrawSoon();
}

function spaceDoes() {
  if (app.ear.recorder.on) return "stop recording";
  return app.input.on ? (app.input.muted ? "unmute" : "mute") : "talk";
}

function showObstacle() {
  const obstacle = obstacleOf(app);
  if (obstacle === null) return screens.hide();
  const title = screens.show(obstacle);
  if (title !== "") announce(title);
}

function redrawSoon() {
  if (redrawing) return;
  redrawing = true;
  requestAnimationFrame(() => {
    redrawing = false;
    words.draw(app.conversation);
    keeper.changed(app.conversation);
    if (!drawer.isOpen) return;
    drawer.drawLog();
    liveStats.draw();
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

const meters = [byId("microphone-level", HTMLElement), byId("speaker-level", HTMLElement)];
let metersAnnouncedAtMs = 0;
function renderLevels() {
  tray.showRecording();
  const levels = [app.input.level, app.output.level];
  const isAtRest = levels.every((level) => level === 0);
  const announces = isAtRest || performance.now() - metersAnnouncedAtMs > METER_VALUE_EVERY_MS;
  meters.forEach((meter, index) => {
    const bar = /** @type {HTMLElement} */ (meter.firstElementChild);
    bar.style.transform = `scaleX(${levels[index].toFixed(3)})`;
    if (announces) meter.setAttribute("aria-valuenow", String(Math.round(levels[index] * 100)));
  });
  if (announces) metersAnnouncedAtMs = performance.now();
  visualizer.setLevel(viewStateOf(app) === "speaking" ? app.output.level : app.input.level);
  if (drawer.isOpen) redrawSoon();
}

/** @param {string} line */
function announce(line) {
  announcer.append(Object.assign(document.createElement("p"), { textContent: line }));
  while (announcer.childElementCount > 5) announcer.firstElementChild?.remove();
}

// What the user does ----------------------------------------------------------------------

async function startTalking() {
  if (aboutNeedsKey && storedKey() === null && !app.client.tokenIsKey) return app.needsKey("");
  await app.talk();
  await deviceSelect.refresh();
  if (app.running) await wakeLock.request();
}

/** A question in words; without any, where there are clips: it will be spoken. @param {string} message */
function write(message) {
  if (tray.isReading) return notice.show("One moment: a clip is still being read.");
  if (message === "" && tray.clips.length === 0) return;
  if (aboutNeedsKey && storedKey() === null && !app.client.tokenIsKey) return app.needsKey("");
  field.value = "";
  app.ask({ text: message, clips: tray.take() });
  words.goToEnd();
  if (message !== "") return;
  notice.show("The clip is in the conversation. Ask about it aloud.");
  if (!app.input.on) void startTalking();
}

/** In a gesture, for there will be sound. */
async function continueHere() {
  if (offeredToken === null) return;
  const session = { token: offeredToken, talking: true, tokenIsKey: storedKey() === null };
  offeredToken = null;
  startOver();
  await app.resume(session);
  await deviceSelect.refresh();
  if (app.running) await wakeLock.request();
}

function lookForHandOver() {
  offeredToken = takeHandOverToken() ?? offeredToken;
  if (offeredToken !== null && !app.running) app.showElsewhere("offered");
}

function startOver() {
  app.startOver();
  words.clear();
}

function startAfresh() {
  wakeLock.release();
  app.startAfresh();
  words.clear();
  notice.show("What was said is gone from here.", { label: "Bring it back", accept: bringBack });
}

function bringBack() {
  app.bringBack();
  words.clear();
  render();
}

function endTalking() {
  app.end();
  wakeLock.release();
}

/** @param {import("./screens.js").Action} action */
function perform(action) {
  switch (action) {
    case "retry-microphone":
      return void startTalking();
    case "type-instead":
      app.dismissMicrophoneTrouble();
      return text.focus();
    case "enable-sound":
      return void app.output.unblock();
    case "retry-now":
      return app.client.retryNow();
    case "check-again":
      return void app.checkServer();
    case "go-on":
      return app.dismissAway();
    case "take-back":
      offeredToken = app.returnToken;
      return void continueHere();
    case "continue-here":
      return void continueHere();
    case "begin-anew":
      startOver();
      return void startTalking();
    case "end":
      return endTalking();
  }
}

/** @param {boolean} shown */
function showWords(shown) {
  subtitlesButton.setAttribute("aria-pressed", String(shown));
  document.body.classList.toggle("no-words", !shown);
  setPreference("words", shown ? "" : "off");
}

/** @param {boolean} open */
function openDrawer(open) {
  if (!open && drawerRoot.contains(document.activeElement)) drawerButton.focus();
  drawerButton.setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("with-drawer", open);
  drawer.toggle(open);
  turnsDrawn = "";
  void liveStats.watch();
  redrawSoon();
}

/** Of a line, in one piece; null while there is none. @param {import("../conversation/conversation.js").Conversation} conversation @param {string} lineId */
function soundOf(conversation, lineId) {
  const line = conversation.find(lineId);
  const sounds = line ? soundsOf(line, conversation.sounds) : [];
  return sounds.length === 0 ? null : joined(sounds);
}

/** @param {boolean} open */
function openSettings(open) {
  if (!open && settings.contains(document.activeElement)) settingsButton.focus();
  settings.hidden = !open;
  settingsButton.setAttribute("aria-expanded", String(open));
  if (open) void deviceSelect.refresh();
}

/** A button pressed with the mouse gives the keys back to the page: Space is for talking. @param {MouseEvent} event */
function releaseFocus(event) {
  if (event.detail > 0 && document.activeElement instanceof HTMLButtonElement) document.activeElement.blur();
}

async function checkConnection() {
  const button = byId("doctor-check", HTMLButtonElement);
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  drawer.clearDoctor();
  const well = await examine(app, storedKey, (...step) => drawer.addStep(...step));
  button.setAttribute("aria-busy", "false");
  announce(well ? "Connection: all is well." : `Connection: ${drawer.lastStep}`);
}

byId("doctor-check", HTMLButtonElement).addEventListener("click", () => void checkConnection());
talk.addEventListener("click", () => (talk.classList.contains("talking") ? endTalking() : void startTalking()));
mute.addEventListener("click", () => app.input.toggleMute());
stop.addEventListener("click", () => app.stopAnswer());
subtitlesButton.addEventListener("click", () => showWords(document.body.classList.contains("no-words")));
settingsButton.addEventListener("click", () => openSettings(settings.hidden));
drawerButton.addEventListener("click", ({ detail }) => {
  openDrawer(!drawer.isOpen);
  if (drawer.isOpen && detail === 0) drawerClose.focus(); // by a key: it lies at the end of the page
});
drawerClose.addEventListener("click", () => openDrawer(false));
byId("intro-more", HTMLButtonElement).addEventListener("click", () => openSettings(true));
byId("fresh", HTMLButtonElement).addEventListener("click", () => (app.canBringBack ? bringBack() : startAfresh()));
byId("save-transcript", HTMLButtonElement).addEventListener("click", () =>
  download(`Parlour ${timestamp(new Date())}.txt`, [`${textOf(keeper.record(app.conversation))}\n`], "text/plain"),
);
byId("log-save", HTMLButtonElement).addEventListener("click", () =>
  download(`Parlour events ${timestamp(new Date())}.jsonl`, [`${asLines(app.log.entries)}\n`], "application/jsonl"),
);
byId("key-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("key", HTMLInputElement);
  storeKey(field.value.trim());
  field.value = "";
  void startTalking();
});
document.addEventListener("click", releaseFocus);
document.addEventListener("pointerdown", (event) => {
  const inside = event.target instanceof Element && event.target.closest("#settings, #settings-button, #intro-more");
  if (!inside && !settings.hidden) openSettings(false);
});
addEventListener("online", () => app.client.retryNow());
addEventListener("hashchange", lookForHandOver);
addEventListener("pagehide", () => {
  void keeper.write(app.conversation);
  const { id, startedAt } = keeper.keptAs(app.conversation);
  const session = app.suspend();
  storeSession(session && { ...session, kept: { id, startedAt } });
});
addEventListener("pageshow", ({ persisted }) => persisted && resumeStoredSession());
listenToKeys({
  space: () => {
    if (app.ear.recorder.on) void tray.toggleRecording();
    else if (app.input.on) app.input.toggleMute();
    else if (app.input.pendingRequest === null) void startTalking();
  },
  escape: (field) => {
    if (field !== null && drawerRoot.contains(field)) return drawerClose.focus();
    if (!settings.hidden) openSettings(false);
    else if (drawer.isOpen && field === null && (!drawerIsBeside.matches || drawerRoot.contains(document.activeElement))) openDrawer(false);
    else if (app.running && app.conversation.answering(performance.now())) app.stopAnswer();
    else if ((app.running || obstacleOf(app) !== null) && (field === null || screens.has(field))) endTalking();
    field?.blur();
  },
  words: () => showWords(document.body.classList.contains("no-words")),
  details: () => openDrawer(!drawer.isOpen),
});

/** The page was loaded again, or taken out of the browser's memory: the conversation waits for a while. */
function resumeStoredSession() {
  const session = takeStoredSession();
  if (session === null || Date.now() >= session.untilMs) return;
  if (session.kept) keeper.adopt(app.conversation, session.kept);
  void app.resume(session);
}

showWords(preference("words") !== "off");
render();
resumeStoredSession();
lookForHandOver();
void app.checkServer();
fetchAbout().then((about) => {
  if (!about) return;
  aboutNeedsKey = about.needs_key;
  showAbout(about, app, (message) => notice.show(message));
});
