// @ts-check
/** The clips that the next question is about: dropped, pasted, chosen or recorded, each with its picture, or with why there is none. */

import { ClipError } from "../clips/sound_reader.js";
import { clock, memoryNote, notesOn } from "../clips/sound.js";
import { byId, icon } from "./dom.js";
import { timestamp } from "./download.js";
import { SoundView } from "./sound_view.js";

/** @typedef {import("../clips/sound.js").Clip} Clip */
/** @typedef {import("../clips/sound_reader.js").SoundReader} SoundReader */
/** @typedef {{item: HTMLLIElement, clip: Clip | null}} Card clip: null while it is read, and where it cannot be */

const CLIPS_MAX = 8;

export class ClipTray {
  /** @param {import("./app.js").App} app @param {SoundReader} reader @param {import("./sound_player.js").SoundPlayer} player @param {() => void} onChange */
  constructor(app, reader, player, onChange) {
    this.app = app;
    this.player = player;
    this.onChange = onChange;
    this.reader = reader;
    this.root = byId("clips", HTMLElement);
    this.list = byId("clip-list", HTMLOListElement);
    this.memory = byId("clip-memory", HTMLElement);
    this.recordButton = byId("record", HTMLButtonElement);
    this.recordTime = byId("record-time", HTMLElement);
    /** @type {Card[]} */
    this.cards = [];
    const chooser = byId("clip-files", HTMLInputElement);
    byId("attach", HTMLButtonElement).addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      void this.add([...(chooser.files ?? [])]);
      chooser.value = ""; // the same file may be chosen again
    });
    this.recordButton.addEventListener("click", () => void this.toggleRecording());
    document.addEventListener("paste", (event) => this.pasted(event));
    listenToDrops((files) => void this.add(files));
  }

  /** Those that can be asked about. @returns {Clip[]} */
  get clips() {
    return this.cards.flatMap(({ clip }) => (clip === null ? [] : [clip]));
  }

  get isReading() {
    return this.cards.some(({ item }) => item.classList.contains("reading"));
  }

  /** The clips leave for the conversation. @returns {Clip[]} */
  take() {
    const { clips } = this;
    this.player.stop();
    this.cards = [];
    this.changed();
    return clips;
  }

  /** @param {readonly Clip[]} clips that could not be asked about yet */
  giveBack(clips) {
    for (const clip of clips) this.show(this.card(clip.name), clip);
  }

  /** @param {File[]} files */
  async add(files) {
    for (const file of files) await this.read(file.name, () => this.reader.read(file, file.name));
  }

  async toggleRecording() {
    const { recorder } = this.app.ear;
    if (!recorder.on) return recorder.start(() => void this.toggleRecording());
    const pcm = recorder.stop();
    const name = `Recorded ${timestamp(new Date()).slice(-5)}`;
    await this.read(name, () => this.reader.readPcm(pcm, name));
  }

  /** While one records. */
  showRecording() {
    const { on, lengthMs } = this.app.ear.recorder;
    const label = on ? "Stop recording" : "Record a clip";
    this.recordButton.setAttribute("aria-pressed", String(on));
    this.recordButton.title = label;
    /** @type {HTMLElement} */ (this.recordButton.querySelector(".hidden-label")).textContent = label;
    this.recordTime.hidden = !on;
    if (on) this.recordTime.textContent = `Recording ${clock(lengthMs)}. The assistant does not hear it.`;
  }

  /** @param {string} name @param {() => Promise<Clip>} reading */
  async read(name, reading) {
    const card = this.card(name);
    if (this.cards.length > CLIPS_MAX) return this.fail(card, `“${name}” was left out: a question may have ${CLIPS_MAX} clips.`);
    try {
      this.show(card, await reading());
    } catch (error) {
      if (!(error instanceof ClipError)) throw error;
      this.fail(card, error.message);
    }
  }

  /** One that is being read. @param {string} name @returns {Card} */
  card(name) {
    const item = document.createElement("li");
    item.className = "reading";
    const text = document.createElement("p");
    text.textContent = `Reading “${name}”…`;
    item.append(text);
    const card = { item, clip: null };
    this.cards.push(card);
    this.changed();
    return card;
  }

  /** @param {Card} card @param {Clip} clip */
  show(card, clip) {
    if (!this.cards.includes(card) || clip.sound === null) return; // removed while it was read, or forgotten
    card.clip = clip;
    card.item.className = "";
    const title = document.createElement("p");
    title.className = "clip-title";
    const name = Object.assign(document.createElement("b"), { textContent: clip.name, dir: "auto" });
    title.append(name, ` ${clock(clip.lengthMs)}`, this.removeButton(card, clip.name));
    const view = new SoundView(this.player, clip.name, clip.sound, { cuts: clip.pieces });
    const notes = Object.assign(document.createElement("p"), { className: "small", textContent: notesOn({ sound: clip.sound, pieces: clip.pieces }).join(" ") });
    card.item.replaceChildren(title, view.root, notes);
    this.changed();
  }

  /** @param {Card} card @param {string} why */
  fail(card, why) {
    if (!this.cards.includes(card)) return;
    card.item.className = "refused";
    const text = Object.assign(document.createElement("p"), { textContent: why, dir: "auto" });
    text.setAttribute("role", "alert");
    card.item.replaceChildren(text, this.removeButton(card, "this message"));
    this.changed();
  }

  /** @param {Card} card @param {string} name */
  removeButton(card, name) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet remove";
    button.append(icon("M6 6l12 12M18 6L6 18"));
    button.setAttribute("aria-label", `Remove ${name}`);
    button.addEventListener("click", () => {
      this.player.stop();
      this.cards = this.cards.filter((each) => each !== card);
      this.changed();
      byId("text", HTMLTextAreaElement).focus();
    });
    return button;
  }

  changed() {
    const cards = this.cards.map(({ item }) => item);
    for (const shown of [...this.list.children]) if (!cards.some((item) => item === shown)) shown.remove();
    for (const item of cards) if (item.parentElement !== this.list) this.list.append(item);
    this.root.hidden = cards.length === 0;
    this.memory.textContent = memoryNote(this.clips);
    this.memory.hidden = this.memory.textContent === "";
    document.body.classList.toggle("with-clips", this.clips.length > 0);
    this.onChange();
  }

  /** @param {ClipboardEvent} event */
  pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    void this.add(files);
  }
}

/** Files that are dropped anywhere on the page. @param {(files: File[]) => void} onFiles */
function listenToDrops(onFiles) {
  const over = byId("drop", HTMLElement);
  let depth = 0; // of elements that the pointer has entered and not left
  const show = (/** @type {DragEvent} */ event, /** @type {number} */ step) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    depth += step;
    over.hidden = depth <= 0;
  };
  document.addEventListener("dragenter", (event) => show(event, 1));
  document.addEventListener("dragleave", (event) => show(event, -1));
  document.addEventListener("dragover", (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    depth = 0;
    over.hidden = true;
    onFiles([...event.dataTransfer.files]);
  });
}
