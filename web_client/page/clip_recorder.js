// @ts-check
/** Records a clip with the page's microphone. While it does, the assistant hears silence. */

import { FRAME_MS } from "../audio/framer.js";
import { LONGEST_MS } from "../clips/sound.js";
import { joined } from "../conversation/pcm.js";

export class ClipRecorder {
  /** @param {import("./app.js").App} app @param {() => void} onSwitch it was switched on or off */
  constructor(app, onSwitch) {
    this.app = app;
    this.onSwitch = onSwitch;
    this.on = false;
    this.wasMuted = false;
    /** @type {Int16Array[]} frames of FRAME_MS */
    this.frames = [];
    this.fullCalled = () => {};
  }

  get lengthMs() {
    return this.frames.length * FRAME_MS;
  }

  /** In a gesture. Where there is no microphone, the app says so. @param {() => void} full called when there is no room for more */
  async start(full) {
    const { input, output } = this.app;
    if (!input.on) await input.start(output.speaker.start());
    if (!input.on) return this.app.changed();
    this.frames = [];
    this.fullCalled = full;
    this.wasMuted = input.muted;
    input.microphone.setMuted(false);
    this.on = true;
    this.onSwitch();
  }

  /** @param {Int16Array} pcm */
  captured(pcm) {
    if (!this.on) return;
    if (this.lengthMs >= LONGEST_MS) return this.fullCalled();
    this.frames.push(pcm);
  }

  /** @returns {Int16Array} what was recorded */
  stop() {
    const pcm = joined(this.frames.splice(0));
    this.on = false;
    if (this.app.running) this.app.input.microphone.setMuted(this.wasMuted);
    else this.app.input.stop();
    this.onSwitch();
    return pcm;
  }
}
