// @ts-check
/**
 * All that is heard: what this page plays (over a WebSocket), and what the server plays (over a call). Both report in the
 * same words how far they are.
 */

import { loudness } from "./loudness.js";
import { RemoteAudio } from "./remote_audio.js";
import { ServerPlayout } from "./server_playout.js";
import { Speaker } from "./speaker.js";

/** @typedef {import("../conversation/effects.js").WireEvent} WireEvent */
/** @typedef {import("../conversation/playback.js").PlaybackReport} PlaybackReport */
/** heard: 20 ms of what the server plays. @typedef {{played(report: PlaybackReport): void, levels(): void, blocked(): void, heard(pcm: Int16Array): void}} AudioOutputListener */

const POLL_MS = 50; // how often one looks how far the server has played

export class AudioOutput {
  /** @param {AudioOutputListener} listener @param {(attempt: number) => number} retryDelayMs see Speaker */
  constructor(listener, retryDelayMs) {
    this.listener = listener;
    this.serverPlays = false;
    this.isBlocked = false;
    this.level = 0;
    this.bufferedMs = 0;
    this.underruns = 0; // of this page's player
    this.refusedMs = 0;
    this.polling = 0;
    this.playout = new ServerPlayout();
    this.remote = new RemoteAudio((pcm) => listener.heard(pcm));
    this.speaker = new Speaker(
      {
        played: (report) => this.played(report),
        status: (status) => this.statusReceived(status),
        blocked: (isBlocked) => this.blocked(isBlocked),
      },
      retryDelayMs,
    );
  }

  /** @param {boolean} serverPlays over this connection the server plays, and not this page */
  setServerPlays(serverPlays) {
    this.serverPlays = serverPlays;
    clearInterval(this.polling);
    if (serverPlays) this.polling = window.setInterval(() => this.poll(), POLL_MS);
  }

  /** What the server says of what it plays. @param {WireEvent} event @param {number} nowMs */
  receive(event, nowMs) {
    if (this.serverPlays) this.report(this.playout.receive(event, nowMs));
  }

  /** Silence, now; a "flushed" report tells how far each item was heard. */
  flush() {
    if (this.serverPlays) this.report(this.playout.flush(performance.now()));
    else this.speaker.flush();
  }

  /** Sound that the server plays ends with the connection. */
  connectionLost() {
    if (!this.serverPlays) return;
    clearInterval(this.polling);
    this.remote.attach(null);
    this.playout.connectionLost();
    this.level = 0;
  }

  /** @param {string} deviceId "" is the system's choice */
  async choose(deviceId) {
    await this.speaker.choose(deviceId);
    await this.remote.choose(deviceId);
  }

  /** In a gesture: let sound out that the browser holds back. */
  async unblock() {
    await Promise.all([this.speaker.unblock(), this.remote.play()]);
  }

  /** How far the server has played, and how loud. */
  poll() {
    this.level = this.remote.level(this.speaker.context);
    if (this.speaker.worklet !== null) this.remote.capture();
    this.report(this.playout.tick(performance.now()));
    this.listener.levels();
  }

  /** @param {PlaybackReport[]} reports */
  report(reports) {
    for (const report of reports) this.listener.played(report);
  }

  /** @param {PlaybackReport} report */
  played(report) {
    this.underruns = report.underruns;
    this.listener.played(report);
  }

  /** @param {import("./playback_worklet.js").PlaybackStatus} status */
  statusReceived(status) {
    if (!this.serverPlays) this.level = status.isPlaying ? loudness(status.level) : 0;
    this.bufferedMs = status.bufferedMs;
    this.underruns = status.underruns;
    this.refusedMs = status.refusedMs;
    this.listener.levels();
  }

  /** @param {boolean} isBlocked */
  blocked(isBlocked) {
    if (isBlocked === this.isBlocked) return;
    this.isBlocked = isBlocked;
    this.listener.blocked();
  }
}
