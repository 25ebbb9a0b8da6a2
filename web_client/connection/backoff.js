// @ts-check
/** How long to wait before the next try to connect: doubling, with a ceiling, and half of it drawn by chance. */

export const FIRST_DELAY_MS = 500;
export const LONGEST_DELAY_MS = 15_000;

/**
 * Half of the delay is certain, so a server that is down gets a rest; half is chance, so the pages that
 * lost the same server do not all come back in the same instant.
 * @param {number} attempt 0 for the first try after a loss
 * @param {number} chance in [0, 1)
 */
export function delayMs(attempt, chance) {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * chance);
}
