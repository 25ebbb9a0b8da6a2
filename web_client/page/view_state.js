// @ts-check
/** The app's state as the page shows it: one of eight states, the word and the hint for it, and what is in the way. */

/** @typedef {import("./app.js").App} App */
/** @typedef {"ready" | "connecting" | "listening" | "hearing" | "thinking" | "speaking" | "muted" | "failed"} ViewState */
/** @typedef {{name: import("./screens.js").ScreenName, note: string, retryAtMs: number | null}} Obstacle */

const ASKING_SHOWS_MS = 500; // a browser that answers sooner has asked nobody
const PATIENCE_MS = 6_000; // a network that is back within this has troubled nobody

/** @type {Record<ViewState, [word: string, hint: string]>} */
const WORDING = {
  ready: ["Ready", "Press Talk, and ask something."],
  connecting: ["Connecting", "You can speak already. Nothing is lost."],
  listening: ["Listening", "Say something."],
  hearing: ["Hearing you", "Take your time."],
  thinking: ["Thinking", "One moment."],
  speaking: ["Speaking", "You can interrupt at any time."],
  muted: ["Muted", "Your microphone is off."],
  failed: ["Not connected", ""],
};

/** What is in the way and needs a screen: the connection before the microphone before the sound. @param {App} app @returns {Obstacle | null} */
export function obstacleOf(app) {
  if (app.trouble === "moved" && app.returnToken === null) return { name: "moved-on", note: "", retryAtMs: null };
  if (app.trouble !== null && !isRestoring(app)) return { name: app.trouble, note: app.troubleNote, retryAtMs: app.retryAtMs };
  if (app.away !== null) return { name: "away", note: app.away, retryAtMs: app.awayUntilMs };
  if (app.input.trouble !== null) return { name: `microphone-${app.input.trouble}`, note: "", retryAtMs: null };
  if (app.running && app.output.isBlocked) return { name: "audio-blocked", note: "", retryAtMs: null };
  return null;
}

/** @param {App} app @returns {ViewState} */
export function viewStateOf(app) {
  if (app.trouble === null && obstacleOf(app) !== null) return "failed";
  if (isRestoring(app)) return app.conversation.playingItem === null ? "connecting" : "speaking";
  switch (app.connectionState) {
    case "off":
      return app.trouble === null || isElsewhere(app) ? "ready" : "failed";
    case "connecting":
      return "connecting";
    case "waiting":
      return app.trouble === "warming" ? "connecting" : "failed";
    case "open": {
      const activity = app.conversation.activity(performance.now());
      if (activity !== "listening") return activity;
      if (!app.input.on) return app.input.pendingRequest === null ? "ready" : "connecting";
      return app.input.muted ? "muted" : "listening";
    }
  }
}

/** @param {App} app @param {ViewState} state @returns {[word: string, hint: string]} */
export function wording(app, state) {
  if (isRestoring(app)) {
    return state === "speaking" ? ["Speaking", "The connection is being restored."] : ["Reconnecting", "You can go on speaking. Nothing is lost."];
  }
  if (app.trouble === "moved") return ["Moved", ""];
  if (app.trouble === "offered") return ["Ready", ""];
  if (state === "failed") return [failure(app), ""];
  if (state === "connecting" && app.trouble === "warming") return ["Warming up", ""];
  if (state === "connecting" && app.trouble !== null) return [app.trouble === "lost" ? "Reconnecting" : "Trying again", ""];
  if (state === "connecting" && isAsking(app)) return ["Waiting", "Allow the microphone when your browser asks."];
  if (state === "connecting" && !app.input.on) return ["Connecting", "One moment."];
  const [upload] = app.conversation.uploads;
  if (state === "thinking" && upload) return ["Sending", upload.events.length > 1 ? `${Math.round(upload.progress * 100)} % of the sound.` : "One moment."];
  if (state === "thinking" && app.conversation.reasoning) return ["Thinking", "It thinks before it answers."];
  if (state === "ready" && app.connectionState === "open") return ["Ready", "Write below, or press Talk."];
  if (state === "ready" && app.conversation.lines.length > 0) return ["Ready", "Press Talk to go on."];
  return WORDING[state];
}

/**
 * Some states end with time alone.
 * @param {App} app @param {number} nowMs @returns {number} when to look again; Infinity: not before something happens
 */
export function nextChangeAtMs(app, nowMs) {
  const patientUntilMs = app.lostAtMs === null ? null : app.lostAtMs + PATIENCE_MS;
  const dueMs = [patientUntilMs, app.conversation.owedUntilMs, app.input.pendingRequest && app.input.requestedAtMs + ASKING_SHOWS_MS];
  return Math.min(...dueMs.map((due) => (due !== null && due > nowMs ? due : Infinity)));
}

/** The connection is being restored, and will be before anyone has to know: what was heard before is still heard. @param {App} app */
function isRestoring(app) {
  if (app.lostAtMs === null || app.connectionState === "open" || !(app.trouble === null || app.trouble === "lost")) return false;
  return app.conversation.playingItem !== null || performance.now() < app.lostAtMs + PATIENCE_MS;
}

/** The browser asks the user whether the page may listen, and waits for the answer. @param {App} app */
const isAsking = (app) => app.input.pendingRequest !== null && performance.now() - app.input.requestedAtMs >= ASKING_SHOWS_MS;

/** There is a conversation, on another device. @param {App} app */
const isElsewhere = (app) => app.trouble === "moved" || app.trouble === "offered";

/** @param {App} app */
function failure(app) {
  if (app.trouble === "full") return "Full";
  if (app.trouble === "key") return "Key needed";
  if (app.trouble !== null || obstacleOf(app) === null) return "Not connected";
  if (app.away !== null) return "Not ready";
  return app.input.trouble !== null ? "No microphone" : "No sound";
}
