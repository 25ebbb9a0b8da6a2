// @ts-check
/**
 * A streaming sample-rate converter: polyphase windowed sinc, exact for any pair of integer rates.
 *
 * The ratio of the rates is reduced to `up / down`; each of the `up` phases has a kernel of its own. Both
 * worklets use it, so the page works at whatever rate the browser's audio runs. It delays by half a kernel
 * (under a millisecond between 24 and 48 kHz).
 */

const ZERO_CROSSINGS = 16; // on each side; more is steeper and slower
const PASS_BAND = 0.94; // of the lower Nyquist frequency; the rest is the kernel's slope

export class Resampler {
  /** @param {number} fromHz @param {number} toHz */
  constructor(fromHz, toHz) {
    const common = greatestCommonDivisor(fromHz, toHz);
    this.up = toHz / common;
    this.down = fromHz / common;
    const cutoff = this.up === this.down ? 1 : Math.min(1, toHz / fromHz) * PASS_BAND;
    this.half = this.up === this.down ? 1 : Math.ceil(ZERO_CROSSINGS / cutoff);
    this.kernels = makeKernels(this.up, this.half, cutoff);
    /** The last `2 * half` input samples: what the next output still needs. */
    this.history = new Float32Array(2 * this.half);
    this.window = new Float32Array(0);
    this.phase = 0;
    this.skip = 0; // input samples still to be passed over before the next output
  }

  /** How many input samples `process` takes to fill exactly `outputs` samples. @param {number} outputs */
  needed(outputs) {
    return this.skip + Math.floor((this.phase + outputs * this.down) / this.up);
  }

  /** Room enough for what `inputs` samples can become. @param {number} inputs */
  most(inputs) {
    return Math.ceil(((inputs + 1) * this.up) / this.down) + 1;
  }

  /**
   * Take all of `input`, write what it completes, and return how many samples were written.
   * @param {Float32Array} input
   * @param {Float32Array} output at least `most(input.length)` long, or fed with `needed(output.length)`
   */
  process(input, output) {
    const taps = 2 * this.half;
    const window = this.join(input);
    let base = this.skip;
    let written = 0;
    while (written < output.length && base <= input.length) {
      const kernel = this.phase * taps;
      let sum = 0;
      for (let tap = 0; tap < taps; tap += 1) sum += window[base + tap] * this.kernels[kernel + tap];
      output[written] = sum;
      written += 1;
      this.phase += this.down;
      base += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    this.skip = Math.max(0, base - input.length);
    this.history.set(window.subarray(input.length, input.length + taps));
    return written;
  }

  /** History and input in one piece, in memory that is kept between calls. @param {Float32Array} input */
  join(input) {
    const length = this.history.length + input.length;
    if (this.window.length < length) this.window = new Float32Array(length);
    this.window.set(this.history);
    this.window.set(input, this.history.length);
    return this.window;
  }
}

/** @param {number} phases @param {number} half @param {number} cutoff of the input's Nyquist frequency */
function makeKernels(phases, half, cutoff) {
  const taps = 2 * half;
  const kernels = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase += 1) {
    const row = kernels.subarray(phase * taps, (phase + 1) * taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const x = tap - (half - 1) - phase / phases;
      row[tap] = cutoff * sinc(cutoff * x) * hann(x / half);
      sum += row[tap];
    }
    for (let tap = 0; tap < taps; tap += 1) row[tap] /= sum; // a constant stays that constant
  }
  return kernels;
}

/** @param {number} x */
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** @param {number} x in [-1, 1] */
const hann = (x) => (Math.abs(x) >= 1 ? 0 : 0.5 + 0.5 * Math.cos(Math.PI * x));

/** @param {number} a @param {number} b @returns {number} */
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
