// @ts-check
/**
 * A sound to look at and to play: its waveform over its spectrogram, where it is louder than its background, where it is cut,
 * and marks of what happened in it. The slider over the picture is the place that is played.
 */

import { peaksInColumns } from "../clips/picture.js";
import { clock, lengthMsOf } from "../clips/sound.js";
import { icon } from "./dom.js";

/** @typedef {import("../clips/sound.js").Sound} Sound */
/** @typedef {import("../clips/levels.js").Stretch} Stretch */
/** @typedef {{atMs: number, name: string, text: string}} Mark text: the same as a sentence */

const WAVE_SHARE = 0.56; // of the picture's height; the spectrogram has the rest
const BACKGROUND_ALPHA = 0.45;
const TENTHS_BELOW_MS = 20_000; // a short sound is a matter of tenths of a second

export class SoundView {
  /**
   * @param {import("./sound_player.js").SoundPlayer} player @param {string} name of the sound @param {Sound} sound
   * @param {{cuts?: readonly Stretch[], marks?: readonly Mark[]}} shown cuts: the pieces that a clip was cut into
   */
  constructor(player, name, sound, { cuts = [], marks = [] } = {}) {
    this.player = player;
    this.sound = sound;
    this.cuts = cuts;
    this.lengthMs = lengthMsOf(sound.pcm);
    this.plays = false;
    this.root = document.createElement("div");
    this.root.className = "sound";
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "sound-play";
    this.button.append(icon("M8 5l11 7-11 7z", "M8 5v14M16 5v14"));
    this.name = name;
    this.button.addEventListener("click", () => this.toggle());
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.slider = Object.assign(document.createElement("input"), { type: "range", min: "0", max: String(this.lengthMs), step: "10", value: "0" });
    this.slider.setAttribute("aria-label", `Place in ${name}`);
    this.slider.addEventListener("input", () => this.moved());
    this.time = document.createElement("span");
    this.time.className = "sound-time";
    const picture = document.createElement("div");
    picture.className = "sound-picture";
    picture.append(this.canvas, ...marks.map((mark) => this.flag(mark)), this.slider);
    this.root.append(this.button, picture, this.time);
    this.spectrogram = spectrogramImage(sound);
    this.showPlace();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  toggle() {
    if (this.plays) return this.player.stop();
    const from = Number(this.slider.value);
    this.plays = true;
    const listener = { moved: (/** @type {number} */ ms) => this.playedTo(ms), stopped: () => this.stopped() };
    void this.player.play(this.sound.pcm, from >= this.lengthMs - 50 ? 0 : from, listener);
    this.showPlace();
  }

  /** @param {number} ms */
  playedTo(ms) {
    this.slider.value = String(Math.min(ms, this.lengthMs));
    this.showPlace();
  }

  stopped() {
    this.plays = false;
    if (Number(this.slider.value) >= this.lengthMs - 50) this.slider.value = "0";
    this.showPlace();
  }

  /** The user took another place. */
  moved() {
    const wasPlaying = this.plays;
    const place = this.slider.value;
    if (wasPlaying) this.player.stop();
    this.slider.value = place;
    if (wasPlaying) this.toggle();
    this.showPlace();
  }

  showPlace() {
    const written = this.lengthMs < TENTHS_BELOW_MS ? tenths : clock;
    const place = `${written(Number(this.slider.value))} of ${written(this.lengthMs)}`;
    this.slider.setAttribute("aria-valuetext", place);
    this.time.textContent = place.replace(" of ", " / ");
    this.button.classList.toggle("playing", this.plays);
    this.button.setAttribute("aria-label", `${this.plays ? "Pause" : "Play"} ${this.name}`);
  }

  /** @param {Mark} mark */
  flag({ atMs, name }) {
    const flag = document.createElement("i");
    flag.className = "sound-mark";
    flag.dataset.mark = name;
    flag.setAttribute("aria-hidden", "true");
    flag.style.left = `min(${(100 * atMs) / this.lengthMs}%, 100% - 3px)`;
    return flag;
  }

  draw() {
    const scale = Math.min(2, devicePixelRatio);
    const [width, height] = [Math.round(this.canvas.clientWidth * scale), Math.round(this.canvas.clientHeight * scale)];
    if (width === 0 || height === 0) return;
    this.canvas.width = width;
    this.canvas.height = height;
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    const style = getComputedStyle(this.root);
    const waveHeight = Math.round(height * WAVE_SHARE);
    this.drawWave(context, width, waveHeight, style.getPropertyValue("--accent"), style.getPropertyValue("--dim"));
    this.drawSpectrogram(context, waveHeight, width, height - waveHeight, style.getPropertyValue("--accent"));
    this.drawCuts(context, width, height, style.getPropertyValue("--ink"));
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {string} loud @param {string} background colours */
  drawWave(context, width, height, loud, background) {
    const peaks = peaksInColumns(this.sound.peaks, width);
    const middle = height / 2;
    const column = (/** @type {number} */ ms) => (ms * width) / this.lengthMs;
    context.globalAlpha = 0.1;
    context.fillStyle = loud;
    for (const { startMs, endMs } of this.sound.sounds) context.fillRect(column(startMs), 0, column(endMs - startMs), height);
    let at = 0;
    for (let x = 0; x < width; x += 1) {
      while (at < this.sound.sounds.length && column(this.sound.sounds[at].endMs) <= x) at += 1;
      const isLoud = at < this.sound.sounds.length && column(this.sound.sounds[at].startMs) <= x;
      context.globalAlpha = isLoud ? 1 : BACKGROUND_ALPHA;
      context.fillStyle = isLoud ? loud : background;
      const [low, high] = [peaks[2 * x] / 128, peaks[2 * x + 1] / 128];
      context.fillRect(x, middle - high * (middle - 1), 1, Math.max(1, (high - low) * (middle - 1)));
    }
    context.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} top @param {number} width @param {number} height @param {string} colour */
  drawSpectrogram(context, top, width, height, colour) {
    context.drawImage(this.spectrogram, 0, top, width, height);
    context.globalCompositeOperation = "source-atop"; // only what the image has painted takes the colour
    context.save();
    context.beginPath();
    context.rect(0, top, width, height);
    context.clip();
    context.fillStyle = colour;
    context.fillRect(0, top, width, height);
    context.restore();
    context.globalCompositeOperation = "source-over";
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {string} colour */
  drawCuts(context, width, height, colour) {
    context.strokeStyle = colour;
    context.setLineDash([4, 4]);
    context.beginPath();
    for (const { startMs } of this.cuts.slice(1)) {
      const x = Math.round((startMs * width) / this.lengthMs) + 0.5;
      context.moveTo(x, 0);
      context.lineTo(x, height);
    }
    context.stroke();
  }
}

/** Louder is more opaque. @param {Sound} sound */
function spectrogramImage({ spectrogram: { columns, rows, values } }) {
  const image = new ImageData(columns, rows);
  for (let column = 0; column < columns; column += 1) {
    for (let row = 0; row < rows; row += 1) {
      image.data[4 * ((rows - 1 - row) * columns + column) + 3] = values[column * rows + row];
    }
  }
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/** @param {number} ms */
const tenths = (ms) => `${(ms / 1000).toFixed(1)} s`;
