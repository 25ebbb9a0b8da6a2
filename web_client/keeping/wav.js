// @ts-check
/** Sounds as one WAV file (RIFF, PCM of 16 bits, mono at 24 kHz). Nothing is copied: a Blob takes the parts as they are. */

const RATE_HZ = 24_000;
const GAP_SAMPLES = RATE_HZ / 2; // between two turns
const HEADER_BYTES = 44;

/** One turn after the other. @param {readonly Int16Array[]} turns @returns {ArrayBufferView[]} the file's parts */
export function wavOf(turns) {
  const gap = new Int16Array(GAP_SAMPLES);
  const parts = turns.flatMap((pcm, index) => (index === 0 ? [pcm] : [gap, pcm]));
  return [header(parts.reduce((sum, { byteLength }) => sum + byteLength, 0)), ...parts];
}

/** @param {number} soundBytes */
function header(soundBytes) {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (/** @type {number} */ at, /** @type {string} */ name) => [...name].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + soundBytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, RATE_HZ, true);
  view.setUint32(28, 2 * RATE_HZ, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a sample
  view.setUint16(34, 16, true); // bits
  text(36, "data");
  view.setUint32(40, soundBytes, true);
  return view;
}
