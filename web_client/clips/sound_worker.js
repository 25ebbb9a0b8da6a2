// @ts-check
/** Off the page's own thread: what a sound looks like, where it is loud, where it is cut, and its base64. */

import { encodePcm } from "../conversation/base64.js";
import { joined } from "../conversation/pcm.js";
import { SOUND_HZ, levelsOf, soundsIn } from "./levels.js";
import { peaksOf, spectrogramOf } from "./picture.js";
import { piecesOf } from "./pieces.js";
import { lengthMsOf } from "./sound.js";

/**
 * `samples`: more of a sound, all of its channels; `finish`: that was all of it. encodes: its pieces are wanted too.
 * @typedef {{kind: "samples", id: number, channels: Float32Array[]} | {kind: "finish", id: number, encodes: boolean}
 *   | {kind: "pcm", id: number, pcm: Int16Array}} Order
 */
/**
 * `looked`: all that there is to know. `part`: before that, of each of its pieces in order, the base64.
 * @typedef {{kind: "part", id: number, text: string}
 *   | {kind: "looked", id: number, sound: import("./sound.js").Sound, pieces: import("./levels.js").Stretch[]}} Report
 */

const COLUMNS = 1_200;
const ROWS = 64;
const LEAST_COLUMN_SAMPLES = 120; // 5 ms: what is shorter, a transform of 21 ms does not tell apart

/** @type {Map<number, Int16Array[]>} */
const begun = new Map();

self.onmessage = ({ data }) => obey(data);

/** @param {Order} order */
function obey(order) {
  switch (order.kind) {
    case "samples":
      begun.set(order.id, [...(begun.get(order.id) ?? []), mixed(order.channels)]);
      return;
    case "finish": {
      const pcm = joined(begun.get(order.id) ?? []);
      begun.delete(order.id);
      return look(order.id, pcm, order.encodes);
    }
    case "pcm":
      look(order.id, order.pcm, false);
  }
}

/** @param {number} id @param {Int16Array} pcm @param {boolean} encodes */
function look(id, pcm, encodes) {
  const levels = levelsOf(pcm);
  const pieces = piecesOf(levels, lengthMsOf(pcm));
  for (const { startMs, endMs } of encodes ? pieces : []) {
    const text = encodePcm(pcm.subarray((startMs * SOUND_HZ) / 1000, (endMs * SOUND_HZ) / 1000));
    tell({ kind: "part", id, text });
  }
  const peaks = peaksOf(pcm);
  const columns = Math.max(1, Math.min(COLUMNS, Math.floor(pcm.length / LEAST_COLUMN_SAMPLES)));
  const spectrogram = spectrogramOf(pcm, columns, ROWS);
  const sound = { pcm, peaks, sounds: soundsIn(levels), spectrogram };
  tell({ kind: "looked", id, sound, pieces }, [pcm.buffer, peaks.buffer, spectrogram.values.buffer]);
}

/** @param {Report} report @param {Transferable[]} transfer */
function tell(report, transfer = []) {
  postMessage(report, { transfer });
}

/** All channels as one. @param {Float32Array[]} channels */
function mixed(channels) {
  const pcm = new Int16Array(channels[0].length);
  for (let at = 0; at < pcm.length; at += 1) {
    let sum = 0;
    for (const channel of channels) sum += channel[at];
    pcm[at] = Math.round(Math.max(-1, Math.min(1, sum / channels.length)) * 32767);
  }
  return pcm;
}
