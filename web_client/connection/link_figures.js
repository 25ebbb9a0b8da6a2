// @ts-check
/** How well a call goes, out of the browser's statistics (W3C, "Identifiers for WebRTC's Statistics API"). Pure. */

/** @typedef {{type: string, [field: string]: any}} Report one of an RTCStatsReport */
/**
 * lostShare: of the packets to here; lostShareOut: of those from here, as the server tells. bufferMs: how long sound waited
 * here before it was played, lately. NaN: not known yet. underruns: how often an answer's sound ran out, and was guessed.
 * @typedef {{roundTripMs: number, jitterMs: number, lostShare: number, lostShareOut: number, bufferMs: number, underruns: number}} Figures
 */

const UNKNOWN = { roundTripMs: NaN, jitterMs: NaN, lostShare: NaN, lostShareOut: NaN, bufferMs: NaN };

export class LinkFigures {
  constructor() {
    this.underruns = 0;
    this.bufferMs = NaN;
    /** @type {number | null} the browser's count, while an answer sounds: between answers little is sent, and that is no fault */
    this.guessedBefore = null;
    this.delayBeforeS = 0;
    this.emittedBefore = 0;
  }

  /** @param {Iterable<Report>} reports @param {boolean} sounds whether an answer is heard from now on @returns {Figures} */
  take(reports, sounds) {
    const figures = { ...UNKNOWN };
    let sent = 0;
    let lostOut = NaN;
    for (const report of reports) {
      if (report.type === "candidate-pair" && report.nominated) figures.roundTripMs = 1000 * (report.currentRoundTripTime ?? NaN);
      if (report.kind !== "audio") continue;
      if (report.type === "outbound-rtp") sent = report.packetsSent ?? 0;
      if (report.type === "remote-inbound-rtp") lostOut = report.packetsLost ?? NaN;
      if (report.type !== "inbound-rtp") continue;
      figures.jitterMs = 1000 * (report.jitter ?? NaN);
      figures.lostShare = share(report.packetsLost, (report.packetsLost ?? 0) + (report.packetsReceived ?? 0));
      this.heard(report, sounds);
    }
    return { ...figures, lostShareOut: share(lostOut, sent), bufferMs: this.bufferMs, underruns: this.underruns };
  }

  /** @param {Report} inbound @param {boolean} sounds */
  heard({ concealmentEvents = 0, jitterBufferDelay = 0, jitterBufferEmittedCount = 0 }, sounds) {
    if (this.guessedBefore !== null) this.underruns += concealmentEvents - this.guessedBefore;
    this.guessedBefore = sounds ? concealmentEvents : null;
    const emitted = jitterBufferEmittedCount - this.emittedBefore;
    if (emitted > 0) this.bufferMs = (1000 * (jitterBufferDelay - this.delayBeforeS)) / emitted;
    this.delayBeforeS = jitterBufferDelay;
    this.emittedBefore = jitterBufferEmittedCount;
  }
}

/** @param {number} part @param {number} whole */
const share = (part, whole) => (whole > 0 ? Math.max(0, part) / whole : NaN);
