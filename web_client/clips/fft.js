// @ts-check
/** The discrete Fourier transform of a power-of-two number of real samples (Cooley and Tukey 1965, in place, radix 2). */

export class Fft {
  /** @param {number} size a power of two */
  constructor(size) {
    this.size = size;
    this.real = new Float32Array(size);
    this.imaginary = new Float32Array(size);
    this.window = Float32Array.from({ length: size }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / size)); // Hann
    this.cosine = Float32Array.from({ length: size / 2 }, (_, at) => Math.cos((2 * Math.PI * at) / size));
    this.sine = Float32Array.from({ length: size / 2 }, (_, at) => Math.sin((2 * Math.PI * at) / size));
    const bits = Math.log2(size);
    this.reversed = Uint32Array.from({ length: size }, (_, at) => reversedBits(at, bits));
  }

  /**
   * The power in each of `size / 2` bands, of windowed samples; a full-scale sine has power 1 in its band. Where samples
   * are missing, before and after the sound, there is silence.
   * @param {Int16Array} pcm @param {number} start may be negative @param {Float32Array} power (size / 2) is written
   */
  power(pcm, start, power) {
    const { size, real, imaginary } = this;
    for (let at = 0; at < size; at += 1) {
      real[this.reversed[at]] = ((pcm[start + at] ?? 0) / 32768) * this.window[at];
    }
    imaginary.fill(0);
    for (let half = 1; half < size; half *= 2) this.combine(half);
    const scale = (4 / size) ** 2; // half of a sine's amplitude lies at the negative frequency, half is lost to the window
    for (let band = 0; band < size / 2; band += 1) {
      power[band] = (real[band] * real[band] + imaginary[band] * imaginary[band]) * scale;
    }
  }

  /** Transforms of `half` samples, two and two. @param {number} half */
  combine(half) {
    const { size, real, imaginary } = this;
    const step = size / 2 / half;
    for (let first = 0; first < size; first += 2 * half) {
      for (let at = 0; at < half; at += 1) {
        const [even, odd] = [first + at, first + at + half];
        const [cosine, sine] = [this.cosine[at * step], this.sine[at * step]];
        const turnedReal = real[odd] * cosine + imaginary[odd] * sine;
        const turnedImaginary = imaginary[odd] * cosine - real[odd] * sine;
        real[odd] = real[even] - turnedReal;
        imaginary[odd] = imaginary[even] - turnedImaginary;
        real[even] += turnedReal;
        imaginary[even] += turnedImaginary;
      }
    }
  }
}

/** @param {number} number @param {number} bits */
function reversedBits(number, bits) {
  let reversed = 0;
  for (let bit = 0; bit < bits; bit += 1) reversed |= ((number >> bit) & 1) << (bits - 1 - bit);
  return reversed;
}
