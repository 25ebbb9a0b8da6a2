// @ts-check
/** What the user writes, with or without clips, on its way to the server: before there is a connection, and no faster than it takes it. */

import { sendNext } from "../conversation/asking.js";
import { Pace } from "../conversation/question.js";

/** @typedef {import("../conversation/effects.js").WireEvent} WireEvent */
/** @typedef {import("../conversation/question.js").Question} Question */

const APART_MS = 30; // between two large events, so that the page is drawn
const BUFFER_LOOK_MS = 50; // how often one looks whether what was sent has left

export class Questions {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    /** @type {Question[]} asked before the connection stood */
    this.unsent = [];
    this.pace = new Pace(performance.now());
    this.timer = 0;
    this.clips = 0;
  }

  /** In a gesture, for there will be sound. @param {Question} question */
  ask(question) {
    const { app } = this;
    void app.output.speaker.start();
    if (question.clips.length > 0) app.client.takeWebSocket();
    if (!app.running) app.connect();
    if (app.connectionState === "open") this.send(question);
    else this.unsent.push(question);
    app.changed();
  }

  connected() {
    for (const question of this.unsent.splice(0)) this.send(question);
    this.upload(); // what was under way when the connection was lost
  }

  /** There will be no connection: what was not sent goes back to who wrote it. */
  disconnected() {
    clearTimeout(this.timer);
    if (this.unsent.length > 0) this.app.view.unsent(this.unsent.splice(0));
  }

  /** @param {Question} question */
  send(question) {
    const now = performance.now();
    if (question.text !== "") this.app.turns.typed(now);
    for (const clip of /** @type {import("../clips/sound.js").Clip[]} */ (question.clips)) this.keep(clip);
    this.app.perform(this.app.conversation.asked(question, `item_${crypto.getRandomValues(new Uint32Array(3)).join("")}`, now));
  }

  /** As long as there is room, among the turns. @param {import("../clips/sound.js").Clip} clip */
  keep(clip) {
    this.clips += 1;
    this.app.conversation.sounds.keep(`clip ${this.clips}`, clip.sound?.pcm.length ?? 0, () => (clip.sound = null));
  }

  /** What is next of a question with clips is to be sent: after a frame of the page, for that takes half a frame by itself. */
  upload() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.sendNext(), APART_MS);
  }

  /** As soon as the network and the server take it. */
  sendNext() {
    const event = this.app.conversation.uploads[0]?.next;
    if (!event) return;
    const waitMs = this.app.client.bufferedAmount > 0 ? BUFFER_LOOK_MS : this.pace.waitMs(sizeOf(event), performance.now());
    if (waitMs > 0) this.timer = window.setTimeout(() => this.sendNext(), waitMs);
    else this.app.perform(sendNext(this.app.conversation));
  }
}

/** In characters, of an event that holds audio. @param {WireEvent} event */
const sizeOf = ({ item }) => item.content.reduce((/** @type {number} */ sum, /** @type {WireEvent} */ part) => sum + (part.audio ?? part.text).length, 0);
