// @ts-check
/**
 * How loud a sound is, frame by frame, and where it is louder than its background. That tells sound from silence, and
 * not a voice from any other sound: whoever shows it says so.
 */

export const SOUND_HZ = 24_000;
export const FRAME_MS = 10;
export const PAUSE_MS = 200; // so much silence is a pause for the server too (realtime/audio/endpointer.py)

const FRAME_SAMPLES = (SOUND_HZ * FRAME_MS) / 1000;
const SILENCE_DB = -100;
const QUIETEST_SOUND_DB = -50; // of full scale; below that nobody hears it
const STEADY_DB = 10; // loud and quiet frames that lie closer are one steady sound, and not sound and background
const BACKGROUND_SHARE = 1 / 3; // of the way from background to loud frames: where sound begins
const HYSTERESIS_DB = 3; // sound goes on so far below where it begins
const LEAST_SOUND_MS = 60; // less is a click

/** @typedef {{startMs: number, endMs: number}} Stretch */

/** The level of each whole or begun frame, in dB of full scale (root mean square). @param {Int16Array} pcm at SOUND_HZ */
export function levelsOf(pcm) {
  const levels = new Float32Array(Math.ceil(pcm.length / FRAME_SAMPLES));
  for (let frame = 0; frame < levels.length; frame += 1) {
    const end = Math.min(pcm.length, (frame + 1) * FRAME_SAMPLES);
    let energy = 0;
    for (let at = frame * FRAME_SAMPLES; at < end; at += 1) energy += pcm[at] * pcm[at];
    const power = energy / (end - frame * FRAME_SAMPLES) / 32768 ** 2;
    levels[frame] = power > 0 ? Math.max(SILENCE_DB, 10 * Math.log10(power)) : SILENCE_DB;
  }
  return levels;
}

/** Where sound is louder than its background, in order; a pause parts two. @param {Float32Array} levels @returns {Stretch[]} */
export function soundsIn(levels) {
  const beginsAt = soundBeginsAt(levels);
  /** @type {Stretch[]} */
  const sounds = [];
  let isSound = false;
  for (let frame = 0; frame < levels.length; frame += 1) {
    isSound = levels[frame] >= (isSound ? beginsAt - HYSTERESIS_DB : beginsAt);
    if (!isSound) continue;
    const startMs = frame * FRAME_MS;
    const last = sounds.at(-1);
    if (last && startMs - last.endMs < PAUSE_MS) last.endMs = startMs + FRAME_MS;
    else sounds.push({ startMs, endMs: startMs + FRAME_MS });
  }
  return sounds.filter(({ startMs, endMs }) => endMs - startMs >= LEAST_SOUND_MS);
}

/** The silences between sounds. @param {readonly Stretch[]} sounds in order @returns {Stretch[]} */
export function pausesBetween(sounds) {
  return sounds.slice(1).map(({ startMs }, index) => ({ startMs: sounds[index].endMs, endMs: startMs }));
}

/** @param {Float32Array} levels */
function soundBeginsAt(levels) {
  const sorted = levels.filter((level) => level > SILENCE_DB).sort(); // digital silence is nobody's background
  const background = sorted[Math.floor(sorted.length * 0.1)] ?? SILENCE_DB;
  const loud = sorted[Math.floor(sorted.length * 0.95)] ?? SILENCE_DB;
  if (loud - background < STEADY_DB) return QUIETEST_SOUND_DB;
  return Math.max(QUIETEST_SOUND_DB, background + (loud - background) * BACKGROUND_SHARE);
}
