// @ts-check
/**
 * Which part of an answer's text has been spoken when so much of its sound has been heard.
 *
 * The server's marks say it at some points ("by 1,240 ms, 18 characters"); between them it is interpolated.
 * A server that sends no marks gets an estimate: in proportion to the sound where its length is known, else at
 * the usual pace of speech.
 */

/** @typedef {{audioEndMs: number, textEnd: number}} Mark */

const CHARACTERS_PER_SECOND = 15; // English read aloud at about 170 words a minute

/**
 * @param {readonly Mark[]} marks in rising order of audioEndMs
 * @param {number} heardMs
 * @param {{textLength: number, audioMs: number, audioEnded: boolean}} answer
 * @returns {number} characters, 0 to textLength
 */
export function spokenCharacters(marks, heardMs, answer) {
  const { textLength, audioMs, audioEnded } = answer;
  if (heardMs <= 0) return 0;
  if (audioEnded && heardMs >= audioMs) return textLength;
  if (marks.length === 0) return Math.min(textLength, estimate(heardMs, answer));
  let before = { audioEndMs: 0, textEnd: 0 };
  for (const mark of marks) {
    if (heardMs < mark.audioEndMs) {
      const share = (heardMs - before.audioEndMs) / (mark.audioEndMs - before.audioEndMs);
      return Math.min(textLength, Math.floor(before.textEnd + share * (mark.textEnd - before.textEnd)));
    }
    before = mark;
  }
  return Math.min(textLength, before.textEnd);
}

/** @param {number} heardMs @param {{textLength: number, audioMs: number, audioEnded: boolean}} answer */
function estimate(heardMs, { textLength, audioMs, audioEnded }) {
  if (audioEnded && audioMs > 0) return Math.floor((textLength * heardMs) / audioMs);
  return Math.floor((heardMs / 1000) * CHARACTERS_PER_SECOND);
}

/**
 * The text in words, each with the blank before it, as [start, end) in characters.
 * @param {string} text
 */
export function words(text) {
  return [...text.matchAll(/\s*\S+/gu)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
}

/** A word counts as spoken once half of it was. @param {{start: number, end: number}} word @param {number} spoken */
export const isSpoken = (word, spoken) => spoken * 2 >= word.start + word.end;

/** The beginning of a text that counts as spoken, in whole words. @param {string} text @param {number} spoken characters */
export function spokenPart(text, spoken) {
  const next = words(text).find((word) => !isSpoken(word, spoken));
  return next ? text.slice(0, next.start) : text;
}
