// @ts-check
/** The helpful screens: one for each thing that can be in the way, with what to do about it. */

/**
 * @typedef {"microphone-denied" | "microphone-missing" | "microphone-busy" | "microphone-insecure" | "audio-blocked"
 *   | "lost" | "unreachable" | "full" | "warming" | "away" | "key" | "moved" | "moved-on" | "offered"} ScreenName
 * @typedef {"retry-microphone" | "type-instead" | "enable-sound" | "retry-now" | "check-again" | "go-on" | "begin-anew" | "take-back" | "continue-here" | "end"} Action
 * @typedef {{title: string, text: string, steps?: string[], actions: [label: string, action: Action][]}} Screen
 */

/** @type {[string, Action][]} */
const MICROPHONE_ACTIONS = [
  ["Try again", "retry-microphone"],
  ["Write instead", "type-instead"],
];
/** @type {[string, Action][]} */
const WAITING_ACTIONS = [
  ["Try now", "retry-now"],
  ["End", "end"],
];

/** @type {Record<ScreenName, Screen>} */
const SCREENS = {
  "microphone-denied": {
    title: "The microphone is blocked",
    text: "This page may not use your microphone yet.",
    steps: [
      "Open the site settings: the icon to the left of the address.",
      "Set Microphone to “Allow”.",
      "Come back and press Try again.",
    ],
    actions: MICROPHONE_ACTIONS,
  },
  "microphone-missing": {
    title: "No microphone found",
    text: "Plug one in, or connect your headset; the page notices it by itself. You can also write, and listen to the answers.",
    actions: MICROPHONE_ACTIONS,
  },
  "microphone-busy": {
    title: "The microphone is in use",
    text: "Another program holds it. Close that call or recorder, then try again.",
    actions: MICROPHONE_ACTIONS,
  },
  "microphone-insecure": {
    title: "The microphone needs a secure address",
    text: "Browsers give microphone and sound only to pages opened over https, or on this very machine as localhost. You can write meanwhile, and read the answers.",
    actions: [["Write instead", "type-instead"]],
  },
  "audio-blocked": {
    title: "Tap to enable sound",
    text: "Your browser holds sound back until you ask for it.",
    actions: [["Enable sound", "enable-sound"]],
  },
  lost: {
    title: "The connection was lost",
    text: "What was said is kept, and the conversation goes on as soon as the server answers.",
    actions: WAITING_ACTIONS,
  },
  unreachable: {
    title: "The server does not answer",
    text: "It may be starting, or the network may be away. It is asked again by itself.",
    actions: WAITING_ACTIONS,
  },
  full: {
    title: "Every seat is taken",
    text: "The server talks to as many people as it can. A seat is asked for again by itself.",
    actions: WAITING_ACTIONS,
  },
  warming: {
    title: "The model is warming up",
    text: "It takes a moment after a start. The conversation begins as soon as it is ready.",
    actions: WAITING_ACTIONS,
  },
  away: {
    title: "The assistant is not ready",
    text: "",
    actions: [
      ["Try again", "check-again"],
      ["Not now", "go-on"],
    ],
  },
  offered: {
    title: "Continue the conversation here",
    text: "It goes on from where it was heard last, and the other device falls silent.",
    actions: [
      ["Continue here", "continue-here"],
      ["Not now", "end"],
    ],
  },
  moved: {
    title: "The conversation is on another device now",
    text: "Here it is silent, and what was said is still on this page. You can take it back at any time; it goes on from where it was heard last.",
    actions: [
      ["Take it back", "take-back"],
      ["Begin a new one", "begin-anew"],
      ["Close", "end"],
    ],
  },
  "moved-on": {
    title: "The conversation is on another device now",
    text: "Here it is silent, and what was said is still on this page.",
    actions: [
      ["Begin a new one", "begin-anew"],
      ["Close", "end"],
    ],
  },
  key: {
    title: "This server asks for a key",
    text: "Whoever runs it can give you one. It is kept until you close this tab.",
    actions: [["Cancel", "end"]],
  },
};

export class Screens {
  /** @param {HTMLElement} root @param {(action: Action) => void} onAction */
  constructor(root, onAction) {
    this.root = root;
    this.onAction = onAction;
    this.title = /** @type {HTMLElement} */ (root.querySelector("h2"));
    this.text = /** @type {HTMLElement} */ (root.querySelector("#screen-text"));
    this.steps = /** @type {HTMLElement} */ (root.querySelector("#screen-steps"));
    this.actions = /** @type {HTMLElement} */ (root.querySelector("#screen-actions"));
    this.keyForm = /** @type {HTMLFormElement} */ (root.querySelector("#key-form"));
    /** @type {ScreenName | null} */
    this.name = null;
    this.note = "";
    /** @type {number | null} */
    this.retryAtMs = null;
    this.countdown = 0;
  }

  /**
   * Put a screen up, in place of any other. `note` is added to its text; the time until `retryAtMs` is counted down.
   * The focus goes to a new one, except from someone who is writing.
   * @param {import("./view_state.js").Obstacle} obstacle
   * @returns {string} the title, where it is not the focus that makes it known
   */
  show({ name, note, retryAtMs }) {
    const screen = SCREENS[name];
    const isNew = this.name !== name;
    if (!isNew && this.note === note && this.retryAtMs === retryAtMs) return "";
    this.note = note;
    this.retryAtMs = retryAtMs;
    this.name = name;
    this.root.dataset.screen = name;
    this.root.hidden = false;
    this.title.textContent = screen.title;
    this.steps.hidden = !screen.steps;
    this.keyForm.hidden = name !== "key";
    clearInterval(this.countdown);
    this.write(screen.text, note, retryAtMs);
    if (!isNew) return ""; // keep the focus, and the buttons that may have it
    this.steps.replaceChildren(...(screen.steps ?? []).map((step) => Object.assign(document.createElement("li"), { textContent: step })));
    this.actions.replaceChildren(...screen.actions.map(([label, action], index) => this.button(label, action, index === 0 && name !== "key")));
    if (name !== "key" && document.activeElement?.matches("#text")) return screen.title;
    (name === "key" ? this.keyForm.querySelector("input") : this.title)?.focus();
    return "";
  }

  /** @param {string} text @param {string} note @param {number | null} retryAtMs */
  write(text, note, retryAtMs) {
    const base = [text, note].filter((part) => part !== "").join(" ");
    this.text.textContent = base;
    if (retryAtMs === null) return;
    const count = () => {
      const left = Math.ceil((retryAtMs - performance.now()) / 1000);
      this.text.textContent = left > 0 ? `${base} Trying again in\u00a0${left}\u00a0s.` : `${base} Trying again now.`;
      if (left <= 0) clearInterval(this.countdown);
    };
    count();
    this.countdown = window.setInterval(count, 500);
  }

  /** @param {HTMLElement} element */
  has(element) {
    return !this.root.hidden && this.root.contains(element);
  }

  hide() {
    if (this.name === null) return;
    clearInterval(this.countdown);
    this.name = null;
    this.root.hidden = true;
  }

  /** @param {string} label @param {Action} action @param {boolean} first */
  button(label, action, first) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = first ? "solid" : "plain";
    button.dataset.action = action;
    button.textContent = label;
    button.addEventListener("click", () => this.onAction(action));
    return button;
  }
}
