// @ts-check
/** The sounds of the conversation's lines, to look at and to hear again: clips that were asked about, and each turn. Drawn when they are opened. */

import { pausesBetween } from "../clips/levels.js";
import { clock } from "../clips/sound.js";
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
    const isShown = item.querySelector("details.turn") !== null;
    if (!isShown && turnSound(line, this.sounds()) !== null) item.append(this.turn(line));
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
      const heard = turnSound(line, this.sounds());
      if (!turn || heard === null) return [GONE];
      const sound = await this.reader.look(heard);
      const heardMs = heard.length / SAMPLES_PER_MS;
      const isCut = line.cutAt !== null;
      const marks = turn.utterance ? marksOfUtterance(turn.utterance, pausesBetween(sound.sounds)) : marksOfAnswer(turn, { heardMs, isCut });
      return [new SoundView(this.player, name, sound, { marks }).root, listOf(marks)];
    });
  }
}

/**
 * What was heard of a turn that is over; null where there is nothing of it.
 * @param {TranscriptLine} line @param {import("../conversation/turn_sounds.js").TurnSounds} sounds
 */
export function turnSound(line, sounds) {
  const isOver = line.role === "user" ? line.final : line.heardAll || line.cutAt !== null;
  return isOver ? sounds.heardOf(line) : null;
}

/** All that was heard in a line, its clips first. @param {TranscriptLine} line @param {import("../conversation/turn_sounds.js").TurnSounds} sounds */
export function soundsOf(line, sounds) {
  const clips = line.clips.map(({ clip }) => /** @type {Clip} */ (clip).sound?.pcm ?? null);
  return [...clips, turnSound(line, sounds)].filter((pcm) => pcm !== null);
}

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
