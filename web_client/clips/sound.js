// @ts-check
/** A sound that a person looks at and plays: a clip, or one turn's audio. */

import { SOUND_HZ } from "./levels.js";

/** @typedef {import("./levels.js").Stretch} Stretch */
/** @typedef {import("./picture.js").Spectrogram} Spectrogram */
/**
 * pcm: mono at SOUND_HZ. sounds: where it is louder than its background.
 * @typedef {{pcm: Int16Array, peaks: Int8Array, sounds: Stretch[], spectrogram: Spectrogram}} Sound
 */
/**
 * One that is asked about. sound: null where it is not kept any more. pieces: what models hear at once; parts: the same as base64 of the wire.
 * @typedef {{name: string, lengthMs: number, sound: Sound | null, pieces: Stretch[], parts: string[]}} Clip
 */

export const SHORTEST_MS = 100;
export const LONGEST_MS = 600_000;
export const REMEMBERED_MS = 330_000; // of sound, in one conversation (realtime/protocol/limits.py)

/** @param {{length: number}} pcm */
export const lengthMsOf = (pcm) => Math.round((pcm.length * 1000) / SOUND_HZ);

/** "0:07", "12:30" @param {number} ms */
export function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** In words: "7.4 s", "2 min 5 s". @param {number} ms */
export function duration(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const [minutes, seconds] = [Math.floor(Math.round(ms / 1000) / 60), Math.round(ms / 1000) % 60];
  return seconds === 0 ? `${minutes} min` : `${minutes} min ${seconds} s`;
}

/** What a person should know of a clip before asking about it. @param {{sound: Pick<Sound, "sounds">, pieces: Stretch[]}} clip @returns {string[]} sentences */
export function notesOn({ sound, pieces }) {
  const heardMs = sound.sounds.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
  const notes = [heardMs === 0 ? "Nothing in it is louder than its background." : `Shaded: ${duration(heardMs)} louder than its background, a voice or any other sound.`];
  if (pieces.length > 1) notes.push(`Over 30 s: cut at pauses into ${pieces.length} pieces, each of which the model hears.`);
  return notes;
}

/** What a question holds that its conversation will not. @param {readonly {lengthMs: number}[]} clips */
export function memoryNote(clips) {
  const totalMs = clips.reduce((sum, { lengthMs }) => sum + lengthMs, 0);
  if (totalMs <= REMEMBERED_MS) return "";
  return `Together that is ${duration(totalMs)}. A conversation holds the last ${duration(REMEMBERED_MS)} of sound; of what came before, a model knows at most the words.`;
}
