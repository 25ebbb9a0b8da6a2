// @ts-check
/** What is drawn of a sound: its peaks for the waveform, and its spectrogram. Numbers only; who draws them is elsewhere. */

import { Fft } from "./fft.js";
import { SOUND_HZ } from "./levels.js";

/**
 * values: (columns, rows), a column after the other and in it the lowest frequency first; 0 is QUIETEST_DB or less, 255 LOUDEST_DB.
 * @typedef {{columns: number, rows: number, values: Uint8Array}} Spectrogram
 */

export const PEAKS_PER_S = 400;
export const HIGHEST_HZ = 10_000;
const PEAK_SAMPLES = SOUND_HZ / PEAKS_PER_S;
const FFT_SAMPLES = 512;
const SPECTRA_A_COLUMN = 4; // of a column that is longer than one transform, so many places are looked at
const LOWEST_HZ = 60;
const QUIETEST_DB = -88;
const LOUDEST_DB = -28;

/** The lowest and the highest sample of each 1/PEAKS_PER_S of a second, -128 to 127, in turns. @param {Int16Array} pcm @returns {Int8Array} */
export function peaksOf(pcm) {
  const count = Math.ceil(pcm.length / PEAK_SAMPLES);
  const peaks = new Int8Array(2 * count);
  for (let peak = 0; peak < count; peak += 1) {
    const end = Math.min(pcm.length, (peak + 1) * PEAK_SAMPLES);
    let [low, high] = [32767, -32768];
    for (let at = peak * PEAK_SAMPLES; at < end; at += 1) {
      const sample = pcm[at];
      if (sample < low) low = sample;
      if (sample > high) high = sample;
    }
    peaks[2 * peak] = low >> 8;
    peaks[2 * peak + 1] = high >> 8;
  }
  return peaks;
}

/** The peaks of so many equal parts of a sound. @param {Int8Array} peaks as `peaksOf` makes them @param {number} columns @returns {Int8Array} */
export function peaksInColumns(peaks, columns) {
  const count = peaks.length / 2;
  const result = new Int8Array(2 * columns);
  for (let column = 0; column < columns; column += 1) {
    const from = Math.floor((column * count) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * count) / columns));
    let [low, high] = [127, -128];
    for (let peak = from; peak < Math.min(to, count); peak += 1) {
      low = Math.min(low, peaks[2 * peak]);
      high = Math.max(high, peaks[2 * peak + 1]);
    }
    if (low > high) continue; // nothing there
    result[2 * column] = low;
    result[2 * column + 1] = high;
  }
  return result;
}

/** Frequencies as far apart as the ear has them (the mel scale). @param {Int16Array} pcm @param {number} columns @param {number} rows @returns {Spectrogram} */
export function spectrogramOf(pcm, columns, rows) {
  const fft = new Fft(FFT_SAMPLES);
  const bands = bandsOf(rows);
  const power = new Float32Array(FFT_SAMPLES / 2);
  const loudest = new Float32Array(FFT_SAMPLES / 2);
  const values = new Uint8Array(columns * rows);
  const columnSamples = pcm.length / columns;
  const looks = Math.max(1, Math.min(SPECTRA_A_COLUMN, Math.round(columnSamples / FFT_SAMPLES)));
  for (let column = 0; column < columns; column += 1) {
    loudest.fill(0);
    for (let look = 0; look < looks; look += 1) {
      const middle = (column + (look + 0.5) / looks) * columnSamples;
      fft.power(pcm, Math.round(middle) - FFT_SAMPLES / 2, power);
      for (let band = 0; band < power.length; band += 1) if (power[band] > loudest[band]) loudest[band] = power[band];
    }
    for (let row = 0; row < rows; row += 1) values[column * rows + row] = shade(loudest, bands[row]);
  }
  return { columns, rows, values };
}

/** @param {Float32Array} power @param {[from: number, to: number]} bands */
function shade(power, [from, to]) {
  let loudest = 1e-12;
  for (let band = from; band < to; band += 1) if (power[band] > loudest) loudest = power[band];
  const share = (10 * Math.log10(loudest) - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB);
  return Math.round(255 * Math.max(0, Math.min(1, share)));
}

/** Which bands of the transform a row shows: at least one. @param {number} rows @returns {[from: number, to: number][]} */
function bandsOf(rows) {
  const [lowest, highest] = [mel(LOWEST_HZ), mel(HIGHEST_HZ)];
  const band = (/** @type {number} */ row) => (hertz(lowest + ((highest - lowest) * row) / rows) * FFT_SAMPLES) / SOUND_HZ;
  return Array.from({ length: rows }, (_, row) => {
    const from = Math.floor(band(row));
    return [from, Math.max(from + 1, Math.floor(band(row + 1)))];
  });
}

/** @param {number} frequencyHz */
const mel = (frequencyHz) => 2595 * Math.log10(1 + frequencyHz / 700);

/** @param {number} mels */
const hertz = (mels) => 700 * (10 ** (mels / 2595) - 1);
