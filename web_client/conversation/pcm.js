// @ts-check
/** Samples of sound, 16 bits each. */

/** @param {readonly Int16Array[]} chunks */
export function joined(chunks) {
  const whole = new Int16Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
