// @ts-check
/**
 * Whether the server of a call is still there. It sends a packet of sound every 400 ms also in silence, so its packets
 * are its signs of life, long before a browser finds the path lost (five to ten seconds). Pure.
 */

export const DOUBTFUL_MS = 1_000;
export const SILENT_MS = 2_500; // six packets in silence, more than a hundred in speech
const LOOKS_MIN = 4; // a page that did not run for a while has looked at nothing meanwhile

export class CallLiveness {
  constructor() {
    /** When there was a sign of life last; null before the first, when there is nothing to miss. @type {number | null} */
    this.aliveAtMs = null;
    this.looks = 0; // without one
    this.lastPacket = 0;
    /** @type {number | null} */
    this.packets = null;
  }

  /** Something came. @param {number} nowMs */
  sign(nowMs) {
    this.aliveAtMs = nowMs;
    this.looks = 0;
    this.packets = null;
  }

  /**
   * @param {number} lastPacket what was played last, in any measure that changes with each packet; 0: nothing, lately
   * @param {number} nowMs @returns {"alive" | "doubtful" | "dead"} doubtful: ask the browser what it has received
   */
  look(lastPacket, nowMs) {
    if (lastPacket !== 0 && lastPacket !== this.lastPacket) {
      this.lastPacket = lastPacket;
      this.sign(nowMs);
    }
    if (this.lastPacket === 0 || this.aliveAtMs === null || nowMs - this.aliveAtMs < DOUBTFUL_MS) return "alive";
    this.looks += 1;
    return nowMs - this.aliveAtMs >= SILENT_MS && this.looks >= LOOKS_MIN ? "dead" : "doubtful";
  }

  /** A browser that plays nothing (a pause key, a telephone call) receives all the same. @param {number} packets so far @param {number} nowMs */
  received(packets, nowMs) {
    if (this.packets !== null && packets > this.packets) this.sign(nowMs);
    this.packets = packets;
  }
}
