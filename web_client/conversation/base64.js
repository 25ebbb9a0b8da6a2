// @ts-check
/** PCM <-> the base64 of the wire. Samples are s16le; every browser that runs this page is little-endian. */

const CHUNK_BYTES = 0x2000; // String.fromCharCode takes its bytes as arguments, and engines limit those

/** @param {Int16Array} samples */
export function encodePcm(samples) {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let binary = "";
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES));
  }
  return btoa(binary);
}

/**
 * The samples of one base64 string. A lone last byte cannot be a sample and is left out.
 * Throws a DOMException where the text is not base64.
 * @param {string} base64
 */
export function decodePcm(base64) {
  const binary = atob(base64);
  const samples = new Int16Array(binary.length >> 1);
  const bytes = new Uint8Array(samples.buffer);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return samples;
}

/** How many samples a base64 string holds, without decoding it. @param {string} base64 */
export function sampleCount(base64) {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return Math.max(0, Math.floor(((base64.length * 3) / 4 - padding) / 2));
}
