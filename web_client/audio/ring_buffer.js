// @ts-check
/** A ring buffer of s16 samples with positions that only grow, so that "how far" is a subtraction. */

export class RingBuffer {
  /** @param {number} capacity in samples; what does not fit is refused, and `write` says so */
  constructor(capacity) {
    this.samples = new Int16Array(capacity);
    this.written = 0;
    this.read = 0;
  }

  get available() {
    return this.written - this.read;
  }

  /** Add as many samples as fit; returns that number. @param {Int16Array} pcm */
  write(pcm) {
    const capacity = this.samples.length;
    const count = Math.min(pcm.length, capacity - this.available);
    const start = this.written % capacity;
    const straight = Math.min(count, capacity - start);
    this.samples.set(pcm.subarray(0, straight), start);
    this.samples.set(pcm.subarray(straight, count), 0);
    this.written += count;
    return count;
  }

  /** Take up to `output.length` samples, scaled to [-1, 1); returns how many there were. @param {Float32Array} output */
  take(output) {
    const capacity = this.samples.length;
    const count = Math.min(output.length, this.available);
    let at = this.read % capacity;
    for (let index = 0; index < count; index += 1) {
      output[index] = this.samples[at] / 32768;
      at += 1;
      if (at === capacity) at = 0;
    }
    this.read += count;
    return count;
  }

  /** Forget what was not read. Positions go on from here. */
  clear() {
    this.written = this.read;
  }
}
