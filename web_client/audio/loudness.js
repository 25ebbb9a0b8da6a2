// @ts-check
const QUIETEST_DB = -60;
const LOUDEST_DB = -12;

/** A level (root mean square, 0 to 1) as the ear takes it, 0 to 1. @param {number} level */
export function loudness(level) {
  if (level <= 0) return 0;
  const decibels = 20 * Math.log10(level);
  return Math.max(0, Math.min(1, (decibels - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)));
}
