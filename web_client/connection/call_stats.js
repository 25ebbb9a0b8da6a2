// @ts-check
/** How well a call goes, from the browser's statistics (W3C, "Identifiers for WebRTC's Statistics API"). Pure. */

/** @typedef {{type: string, [field: string]: any}} Report one of an RTCStatsReport */
/**
 * lostShare: of the packets to here; lostShareOut: of those from here, as the server tells. bufferMs: how long sound waited
 * here before it was played, lately. NaN: not known yet. underruns: how often an answer's sound ran out, and was concealed.
 * @typedef {{roundTripMs: number, jitterMs: number, lostShare: number, lostShareOut: number, bufferMs: number, underruns: number}} CallStats
 */

const UNKNOWN = { roundTripMs: NaN, jitterMs: NaN, lostShare: NaN, lostShareOut: NaN, bufferMs: NaN };

export class CallStatsReader {
  constructor() {
    this.underruns = 0;
    this.bufferMs = NaN;
    /** @type {number | null} the browser's count, while an answer plays: between answers little is sent, and that is no fault */
    this.concealedBefore = null;
    this.delayBeforeS = 0;
    this.emittedBefore = 0;
  }

  /** @param {Iterable<Report>} reports @param {boolean} isPlaying whether an answer plays from now on @returns {CallStats} */
  read(reports, isPlaying) {
    const stats = { ...UNKNOWN };
    let sent = 0;
    let lostOut = NaN;
    for (const report of reports) {
      if (report.type === "candidate-pair" && report.nominated) stats.roundTripMs = 1000 * (report.currentRoundTripTime ?? NaN);
      if (report.kind !== "audio") continue;
      if (report.type === "outbound-rtp") sent = report.packetsSent ?? 0;
      if (report.type === "remote-inbound-rtp") lostOut = report.packetsLost ?? NaN;
      if (report.type !== "inbound-rtp") continue;
      stats.jitterMs = 1000 * (report.jitter ?? NaN);
      stats.lostShare = share(report.packetsLost, (report.packetsLost ?? 0) + (report.packetsReceived ?? 0));
      this.readInbound(report, isPlaying);
    }
    return { ...stats, lostShareOut: share(lostOut, sent), bufferMs: this.bufferMs, underruns: this.underruns };
  }

  /** @param {Report} inbound @param {boolean} isPlaying */
  readInbound({ concealmentEvents = 0, jitterBufferDelay = 0, jitterBufferEmittedCount = 0 }, isPlaying) {
    if (this.concealedBefore !== null) this.underruns += concealmentEvents - this.concealedBefore;
    this.concealedBefore = isPlaying ? concealmentEvents : null;
    const emitted = jitterBufferEmittedCount - this.emittedBefore;
    if (emitted > 0) this.bufferMs = (1000 * (jitterBufferDelay - this.delayBeforeS)) / emitted;
    this.delayBeforeS = jitterBufferDelay;
    this.emittedBefore = jitterBufferEmittedCount;
  }
}

/** How many packets of sound have come, played or not. @param {Iterable<Report>} reports */
export function packetsReceived(reports) {
  return [...reports].reduce((sum, { type, kind, packetsReceived: count = 0 }) => sum + (type === "inbound-rtp" && kind === "audio" ? count : 0), 0);
}

/** @param {number} part @param {number} whole */
const share = (part, whole) => (whole > 0 ? Math.max(0, part) / whole : NaN);
