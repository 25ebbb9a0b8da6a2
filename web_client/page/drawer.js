// @ts-check
/** The drawer for engineers: live statistics, a waterfall for each turn, the event log. Drawn only while it is open. */

import { asLines } from "../conversation/event_log.js";
import { seconds, stageBars, waterfall } from "./waterfall.js";

/** @typedef {import("../conversation/event_log.js").EventLog} EventLog */
/** @typedef {import("../conversation/event_log.js").Entry} Entry */
/** @typedef {import("../conversation/turn_log.js").TurnLog} TurnLog */
/** @typedef {import("./waterfall.js").Bar} Bar */

const SHOWN_ENTRIES = 200;
const ZEROS = {
  "end of speech": "ms from the end of speech",
  decision: "ms from the end-of-turn decision, by this page's clock",
  message: "ms from your message",
};

export class Drawer {
  /** @param {HTMLElement} root @param {EventLog} log @param {TurnLog} turns */
  constructor(root, log, turns) {
    this.root = root;
    this.log = log;
    this.turns = turns;
    this.stats = /** @type {HTMLElement} */ (root.querySelector("#figures"));
    this.doctor = /** @type {HTMLOListElement} */ (root.querySelector("#doctor"));
    this.turnList = /** @type {HTMLElement} */ (root.querySelector("#turns"));
    this.turnsEmpty = /** @type {HTMLElement} */ (root.querySelector("#turns-empty"));
    this.list = /** @type {HTMLOListElement} */ (root.querySelector("#log"));
    this.filter = /** @type {HTMLInputElement} */ (root.querySelector("#log-filter"));
    this.pauseButton = /** @type {HTMLButtonElement} */ (root.querySelector("#log-pause"));
    this.paused = false;
    /** @type {Map<number, {item: HTMLLIElement, count: number}>} */
    this.drawn = new Map();
    this.filter.addEventListener("input", () => this.redrawLog());
    this.pauseButton.addEventListener("click", () => this.pause(!this.paused));
    const copy = /** @type {HTMLButtonElement} */ (root.querySelector("#log-copy"));
    copy.addEventListener("click", () => void this.copy(copy));
  }

  get isOpen() {
    return !this.root.hidden;
  }

  /** @param {boolean} open */
  toggle(open) {
    this.root.hidden = !open;
    if (!open) return;
    this.redrawLog();
    this.drawTurns();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    this.pauseButton.setAttribute("aria-pressed", String(paused));
    this.pauseButton.textContent = paused ? "Resume" : "Pause";
    if (!paused) this.redrawLog();
  }

  /** @param {HTMLButtonElement} button */
  async copy(button) {
    try {
      const clipboard = navigator.clipboard; // browsers have none for pages from an address that is not secure
      await clipboard?.writeText(asLines(this.log.matching(this.filter.value)));
      button.textContent = clipboard ? "Copied" : "Not allowed";
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }

  /** @param {Record<string, string>} stats by name, as they are shown */
  drawStats(stats) {
    if (!this.isOpen) return;
    for (const row of this.stats.querySelectorAll("[data-figure]")) {
      if (!((/** @type {HTMLElement} */ (row).dataset.figure ?? "") in stats)) row.remove(); // of another kind of connection
    }
    for (const [name, value] of Object.entries(stats)) {
      let row = this.stats.querySelector(`[data-figure="${name}"]`);
      if (!row) {
        row = element("div", { figure: name }, element("dt", {}, name), element("dd", {}));
        this.stats.append(row);
      }
      const shown = /** @type {HTMLElement} */ (row.lastElementChild);
      if (shown.textContent !== value) shown.textContent = value;
    }
  }

  clearDoctor() {
    this.doctor.replaceChildren();
  }

  get lastStep() {
    return this.doctor.lastElementChild?.textContent ?? "";
  }

  /** @param {string} name @param {"ok" | "failed"} state @param {string} text @param {string} cure "" where none is needed */
  addStep(name, state, text, cure) {
    const mark = state === "ok" ? "✓" : "✗";
    const said = element("span", {}, element("b", {}, name), ` ${text} `, ...(cure ? [element("em", {}, cure)] : []));
    this.doctor.append(element("li", { state }, element("i", {}, mark), " ", said));
  }

  redrawLog() {
    this.drawn.clear();
    this.list.replaceChildren();
    this.drawLog();
  }

  drawLog() {
    if (!this.isOpen || this.paused) return;
    const following = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
    const shown = this.log.matching(this.filter.value).slice(-SHOWN_ENTRIES);
    for (const entry of shown) {
      const drawn = this.drawn.get(entry.id);
      if (drawn?.count === entry.count) continue;
      if (drawn) updateLogItem(drawn.item, entry);
      const item = drawn?.item ?? logItem(entry);
      if (!drawn) this.list.append(item);
      this.drawn.set(entry.id, { item, count: entry.count });
    }
    const kept = new Set(shown.map(({ id }) => id));
    for (const [id, { item }] of this.drawn) {
      if (kept.has(id)) continue;
      item.remove();
      this.drawn.delete(id);
    }
    if (following) this.list.scrollTop = this.list.scrollHeight;
  }

  drawTurns() {
    if (!this.isOpen) return;
    const turns = this.turns.turns();
    this.turnsEmpty.hidden = turns.length > 0;
    const longestMs = Math.max(1, ...turns.map(({ turn }) => waterfall(turn).totalMs));
    this.turnList.replaceChildren(
      ...turns.map(({ turn, from }, index) => {
        const { totalMs, bars } = waterfall(turn);
        const stages = stageBars(turn);
        const number = turns.length - index;
        return element(
          "section",
          { turn: turn.response_id },
          element("h4", {}, `Turn ${number}`, element("b", {}, seconds(totalMs)), element("i", {}, turn.outcome ?? "")),
          element("p", {}, ZEROS[from]),
          barList("Waterfall", bars, longestMs),
          ...(stages.length > 0 ? [element("p", {}, "the agent's work, each stage by itself"), barList("Stages", stages, longestMs)] : []),
        );
      }),
    );
  }
}

/** @param {string} name @param {Bar[]} bars @param {number} longestMs */
function barList(name, bars, longestMs) {
  const rows = bars.map(({ label, startMs, endMs }) => {
    const bar = element("i", {});
    bar.style.left = `${(startMs / longestMs) * 100}%`;
    bar.style.width = `${Math.max(0.6, ((endMs - startMs) / longestMs) * 100)}%`;
    return element("li", {}, element("span", {}, label), element("span", { track: "" }, bar), element("b", {}, `${Math.round(endMs)}`));
  });
  const list = element("ol", { bars: name.toLowerCase() }, ...rows);
  list.setAttribute("aria-label", `${name}, in milliseconds`);
  return list;
}

/** @param {Entry} entry */
function logItem(entry) {
  const details = element("details", {});
  details.append(
    element(
      "summary",
      { way: entry.way },
      element("time", {}, (entry.atMs / 1000).toFixed(2)),
      element("span", {}, entry.way === "sent" ? "↑" : "↓"),
      element("code", {}, titleOf(entry)),
    ),
  );
  // The body is written when someone looks: most entries nobody opens.
  details.addEventListener("toggle", () => {
    if (details.childElementCount === 1) details.append(element("pre", {}, bodyOf(entry)));
  });
  return /** @type {HTMLLIElement} */ (element("li", {}, details));
}

/** One more was counted in it; who has opened it reads on. @param {HTMLLIElement} item @param {Entry} entry */
function updateLogItem(item, entry) {
  const title = /** @type {HTMLElement} */ (item.querySelector("code"));
  title.textContent = titleOf(entry);
  const body = item.querySelector("pre");
  if (body) body.textContent = bodyOf(entry);
}

/** @param {Entry} entry */
const titleOf = (entry) => (entry.count > 1 ? `${entry.type} ×${entry.count}` : entry.type);

/** @param {Entry} entry */
const bodyOf = (entry) => JSON.stringify(entry.event, null, 2);

/** @param {string} tag @param {Record<string, string>} dataset @param {(Node | string)[]} children */
function element(tag, dataset, ...children) {
  const made = document.createElement(tag);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}
