// @ts-check
/** The sounds of the conversation's lines: the clips that were asked about. Each is drawn when somebody opens it. */

import { clock } from "../clips/sound.js";
import { SoundView } from "./sound_view.js";

/** @typedef {import("../clips/sound.js").Clip} Clip */
/** @typedef {import("../conversation/transcript_line.js").TranscriptLine} TranscriptLine */
/** @typedef {import("../conversation/question.js").LineClip} LineClip */

export class LineSounds {
  /** @param {import("./sound_player.js").SoundPlayer} player */
  constructor(player) {
    this.player = player;
  }

  /** @param {TranscriptLine} line @param {HTMLLIElement} item of the page */
  show(line, item) {
    line.clips.forEach((asked, index) => {
      const shown = item.querySelectorAll("details.clip")[index] ?? this.clip(asked, item);
      const words = /** @type {HTMLElement} */ (shown.querySelector(".clip-words"));
      words.textContent = asked.words.join(" ").trim();
      words.hidden = words.textContent === "";
    });
  }

  /** @param {LineClip} asked @param {HTMLLIElement} item */
  clip({ clip }, item) {
    const { sound, pieces } = /** @type {Clip} */ (clip); // as it came from the tray
    const details = document.createElement("details");
    details.className = "clip";
    const name = Object.assign(document.createElement("span"), { textContent: clip.name, dir: "auto" });
    const summary = document.createElement("summary");
    summary.append(name, ` ${clock(clip.lengthMs)}`);
    const words = Object.assign(document.createElement("blockquote"), { className: "clip-words", dir: "auto" });
    details.append(summary, words);
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector(".sound")) return;
      summary.after(new SoundView(this.player, clip.name, sound, { cuts: pieces }).root);
    });
    item.querySelector("p")?.before(details);
    return details;
  }
}
