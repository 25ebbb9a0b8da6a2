// @ts-check
/** The conversation given away, and the past ones: a dialog. Nothing is kept unless the user has asked for it here. */

import { jsonOf, textOf, titleOf } from "../conversation/record.js";
import { ArchiveError } from "../keeping/archive.js";
import { wavOf } from "../keeping/wav.js";
import { byId } from "./dom.js";
import { download, timestamp } from "./download.js";
import { preference, setPreference } from "./preferences.js";

/** @typedef {import("../conversation/record.js").ConversationRecord} ConversationRecord */
/** @typedef {{record: ConversationRecord, sounds: () => Promise<Int16Array[]>}} Kept */
/** record: of the conversation at hand. deleted: null means all. @typedef {{record(): ConversationRecord, sounds(): Int16Array[], opening(): void, wished(): void, deleted(id: string | null): void}} Listener */

const TOLD_MS = 1_500;

export class Conversations {
  /** @param {import("../keeping/archive.js").Archive} archive @param {Listener} listener */
  constructor(archive, listener) {
    this.archive = archive;
    this.listener = listener;
    this.dialog = byId("conversations", HTMLDialogElement);
    this.keep = byId("keep-words", HTMLInputElement);
    this.keepSound = byId("keep-sound", HTMLInputElement);
    this.list = byId("past", HTMLOListElement);
    this.note = byId("past-note", HTMLElement);
    this.deleteAll = byId("past-delete", HTMLButtonElement);
    this.now = byId("give-away", HTMLElement);
    this.keep.checked = preference("keep") === "on";
    this.keepSound.checked = preference("keep-sound") === "on";
    this.now.append(...this.waysOut(() => ({ record: listener.record(), sounds: async () => listener.sounds() })));
    byId("conversations-button", HTMLButtonElement).addEventListener("click", () => void this.open());
    byId("conversations-close", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    for (const box of [this.keep, this.keepSound]) box.addEventListener("change", () => this.wished());
    this.deleteAll.addEventListener("click", () => void this.confirmThenClear());
    this.showWishes();
  }

  /** @returns {import("../keeping/keeper.js").Wishes} */
  get wishes() {
    return { words: this.keep.checked, sound: this.keep.checked && this.keepSound.checked };
  }

  async open() {
    const isEmpty = this.listener.record().lines.length === 0;
    for (const button of this.now.querySelectorAll("button")) button.disabled = isEmpty || (button.dataset.way === "wav" && this.listener.sounds().length === 0);
    this.listener.opening();
    this.dialog.showModal();
    byId("conversations-title", HTMLElement).focus();
    await this.drawPast();
  }

  wished() {
    setPreference("keep", this.keep.checked ? "on" : "");
    setPreference("keep-sound", this.keepSound.checked ? "on" : "");
    this.showWishes();
    this.listener.wished();
  }

  showWishes() {
    this.keepSound.disabled = !this.keep.checked;
  }

  async drawPast() {
    this.resetDeleteAll();
    try {
      const [records, withSound] = await Promise.all([this.archive.list(), this.archive.withSound()]);
      this.list.replaceChildren(...records.map((record) => this.entry(record, withSound.has(record.id))));
      this.note.textContent = records.length === 0 ? "There are none." : "";
      this.deleteAll.hidden = records.length === 0;
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      this.note.textContent = error.message;
      this.deleteAll.hidden = true;
    }
    this.note.hidden = this.note.textContent === "";
  }

  /** @param {ConversationRecord} record @param {boolean} hasSound */
  entry(record, hasSound) {
    const item = document.createElement("li");
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    const title = Object.assign(document.createElement("span"), { textContent: titleOf(record), dir: "auto" });
    const when = Object.assign(document.createElement("time"), { dateTime: record.startedAt, textContent: timestamp(new Date(record.startedAt)) });
    summary.append(title, when);
    const text = Object.assign(document.createElement("p"), { className: "past-text", textContent: textOf(record), dir: "auto", tabIndex: 0 });
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", `Words of “${titleOf(record)}”`);
    const ways = Object.assign(document.createElement("div"), { className: "row" });
    const buttons = this.waysOut(() => ({ record, sounds: () => this.archive.soundsOf(record.id) }));
    ways.append(...buttons.filter(({ dataset }) => hasSound || dataset.way !== "wav"), this.deleteButton(record));
    details.append(summary, text, ways);
    item.append(details);
    return item;
  }

  /** @param {ConversationRecord} record */
  deleteButton(record) {
    const button = plainButton("Delete", () => void this.delete(record.id));
    button.dataset.way = "delete";
    return button;
  }

  /** @param {string} id */
  async delete(id) {
    this.listener.deleted(id);
    await this.archive.delete(id);
    await this.drawPast();
    byId("conversations-title", HTMLElement).focus(); // the button has gone
  }

  /** The first press asks, the second does it. */
  async confirmThenClear() {
    if (this.deleteAll.dataset.sure !== "yes") {
      this.deleteAll.dataset.sure = "yes";
      this.deleteAll.textContent = "Press again to delete all of them";
      return;
    }
    this.listener.deleted(null);
    await this.archive.clear();
    await this.drawPast();
    byId("conversations-title", HTMLElement).focus();
  }

  resetDeleteAll() {
    this.deleteAll.dataset.sure = "";
    this.deleteAll.textContent = "Delete all";
  }

  /** @param {() => Kept} kept @returns {HTMLButtonElement[]} */
  waysOut(kept) {
    const name = () => `Parlour ${timestamp(new Date(kept().record.startedAt))}`;
    const copy = plainButton("Copy", () => void copyFrom(copy, textOf(kept().record)));
    const text = plainButton("Text", () => download(`${name()}.txt`, [`${textOf(kept().record)}\n`], "text/plain"));
    const json = plainButton("JSON", () => download(`${name()}.json`, [jsonOf(kept().record)], "application/json"));
    const wav = plainButton("Sound", async () => download(`${name()}.wav`, /** @type {BlobPart[]} */ (wavOf(await kept().sounds())), "audio/wav"));
    wav.dataset.way = "wav";
    return [copy, text, json, wav];
  }
}

/** @param {string} label @param {() => void} press */
function plainButton(label, press) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: label });
  button.addEventListener("click", press);
  return button;
}

/** @param {HTMLButtonElement} button @param {string} text */
async function copyFrom(button, text) {
  const label = button.textContent;
  try {
    const clipboard = navigator.clipboard; // browsers have none for pages from an address that is not secure
    await clipboard?.writeText(text);
    button.textContent = clipboard ? "Copied" : "Not allowed";
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = label), TOLD_MS);
}
