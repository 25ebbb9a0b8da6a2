// @ts-check
/** What the assistant hears of the microphone: silence, while the user records a clip or listens to a sound again. */

import { ClipRecorder } from "./clip_recorder.js";

export class Ear {
  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.app = app;
    this.recorder = new ClipRecorder(app, () => this.changed());
    this.soundPlays = false;
  }

  get isDeaf() {
    return this.recorder.on || this.soundPlays;
  }

  /** @param {Int16Array} pcm */
  captured(pcm) {
    const { app } = this;
    this.recorder.captured(pcm);
    if (!app.running) return;
    const heard = this.isDeaf ? new Int16Array(pcm.length) : pcm;
    app.conversation.sounds.captured(heard);
    app.client.sendAudio(heard);
  }

  /** A sound that the user listens to begins or ends. @param {boolean} plays */
  setSoundPlays(plays) {
    this.soundPlays = plays;
    this.changed();
  }

  /** A call carries what the microphone hears by itself. */
  changed() {
    const track = this.app.input.microphone.stream?.getAudioTracks()[0] ?? null;
    this.app.client.listenTo(this.isDeaf ? null : track);
    this.app.changed();
  }
}
