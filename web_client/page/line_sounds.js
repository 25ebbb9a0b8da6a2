// @ts-check
/** The sounds of the conversation's lines, to look at and to hear again: clips that were asked about, and each turn. Drawn when they are opened. */

import { pausesBetween } from "../clips/levels.js";
import { clock } from "../clips/sound.js";
import { isUnheard } from "../conversation/transcript_line.js";
import { marksOfAnswer, marksOfUtterance } from "../conversation/turn_marks.js";
import { SoundView } from "./sound_view.js";

/** @typedef {import("../clips/sound.js").Clip} Clip */
/** @typedef {import("../conversation/transcript_line.js").TranscriptLine} TranscriptLine */
/** @typedef {import("../conversation/question.js").LineClip} LineClip */

const SAMPLES_PER_MS = 24;
const GONE = "This sound is not kept any more: the page holds the latest 20 minutes.";

export class LineSounds {
  /** @param {import("../clips/sound_reader.js").SoundReader} reader @param {import("./sound_player.js").SoundPlayer} player @param {() => import("../conversation/turn_sounds.js").TurnSounds} sounds of the conversation at hand */
  constructor(reader, player, sounds) {
    this.player = player;
    this.sounds = sounds;
    this.reader = reader;
  }

  /** @param {TranscriptLine} line @param {HTMLLIElement} item of the page */
  show(line, item) {
    line.clips.forEach((asked, index) => {
      const shown = item.querySelectorAll("details.clip")[index] ?? this.clip(asked, item);
      const words = /** @type {HTMLElement} */ (shown.querySelector(".clip-words"));
      words.textContent = asked.words.join(" ").trim();
      words.hidden = words.textContent === "";
    });
    const isOver = line.role === "user" ? line.final : line.heardAll || line.cutAt !== null;
    const isShown = item.querySelector("details.turn") !== null;
    if (isOver && !isShown && !isSilent(line) && this.sounds().pcmOf(line.id) !== null) item.append(this.turn(line));
  }

  /** @param {LineClip} asked @param {HTMLLIElement} item */
  clip({ clip }, item) {
    const name = Object.assign(document.createElement("span"), { textContent: clip.name, dir: "auto" });
    const words = Object.assign(document.createElement("blockquote"), { className: "clip-words", dir: "auto" });
    const details = unfolding("clip", [name, ` ${clock(clip.lengthMs)}`], async () => {
      const { sound, pieces } = /** @type {Clip} */ (clip); // as it came from the tray
      return sound === null ? [GONE] : [new SoundView(this.player, clip.name, sound, { cuts: pieces }).root];
    });
    details.append(words);
    item.querySelector("p")?.before(details);
    return details;
  }

  /** @param {TranscriptLine} line */
  turn(line) {
    const name = line.role === "user" ? "what you said" : "the answer";
    return unfolding("turn", ["Listen again"], async () => {
      const turn = this.sounds().turns.get(line.id);
      const pcm = this.sounds().pcmOf(line.id);
      if (!turn || pcm === null) return [GONE];
      const isCut = line.cutAt !== null;
      const heard = line.role === "assistant" && isCut && !line.playedByServer ? pcm.slice(0, Math.round(line.heardMs * SAMPLES_PER_MS)) : pcm;
      const sound = await this.reader.look(heard);
      const heardMs = heard.length / SAMPLES_PER_MS;
      const marks = turn.utterance ? marksOfUtterance(turn.utterance, pausesBetween(sound.sounds)) : marksOfAnswer(turn, { heardMs, isCut });
      return [new SoundView(this.player, name, sound, { marks }).root, listOf(marks)];
    });
  }
}

/** Of an answer that nobody heard there is nothing to hear again. @param {TranscriptLine} line */
const isSilent = (line) => line.role === "assistant" && (isUnheard(line) || (line.cutAt !== null && line.heardMs === 0));

/** @param {string} kind @param {(string | Node)[]} title @param {() => Promise<(string | Node)[]>} content made when it is opened first */
function unfolding(kind, title, content) {
  const details = document.createElement("details");
  details.className = kind;
  const summary = document.createElement("summary");
  summary.append(...title);
  details.append(summary);
  let isMade = false;
  details.addEventListener("toggle", async () => {
    if (!details.open || isMade) return;
    isMade = true;
    summary.after(...(await content()));
  });
  return details;
}

/** @param {import("../conversation/turn_marks.js").Mark[]} marks */
function listOf(marks) {
  const list = document.createElement("ol");
  list.className = "sound-marks";
  for (const { name, text } of marks) {
    const item = Object.assign(document.createElement("li"), { textContent: text });
    item.dataset.mark = name;
    list.append(item);
  }
  return list;
}
