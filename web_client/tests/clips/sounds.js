// Sounds for tests.
import { SOUND_HZ } from "../../clips/levels.js";

/** @param {number} ms @param {number} amplitude of a noise that is the same each time */
export function noise(ms, amplitude) {
  let seed = 7;
  return Int16Array.from({ length: (ms * SOUND_HZ) / 1000 }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.round(amplitude * (seed / 2 ** 30 - 1));
  });
}

/** @param {number} ms @param {number} hertz @param {number} amplitude */
export function sine(ms, hertz, amplitude) {
  return Int16Array.from({ length: (ms * SOUND_HZ) / 1000 }, (_, at) => Math.round(amplitude * Math.sin((2 * Math.PI * hertz * at) / SOUND_HZ)));
}

/** @param {Int16Array[]} parts */
export const together = (...parts) => Int16Array.from(parts.flatMap((part) => [...part]));
