// @ts-check
/**
 * All that is heard: what this page plays (over a WebSocket), and what the server plays (over a call). Both tell in the
 * same words how far they are.
 */

import { loudness } from "./loudness.js";
import { RemoteSound } from "./remote_sound.js";
import { ServerPlayout } from "./server_playout.js";
import { Speaker } from "./speaker.js";

/** @typedef {import("../conversation/effects.js").WireEvent} WireEvent */
/** @typedef {import("../conversation/playback.js").PlaybackReport} PlaybackReport */
/** @typedef {{played(report: PlaybackReport): void, levels(): void, blocked(): void}} SoundListener */

const FOLLOWING_MS = 50; // how often one looks how far the server has played

export class Sound {
  /** @param {SoundListener} listener @param {(attempt: number) => number} retryDelayMs see Speaker */
  constructor(listener, retryDelayMs) {
    this.listener = listener;
    this.serverPlays = false;
    this.isBlocked = false;
    this.level = 0;
    this.bufferedMs = 0;
    this.underruns = 0; // of this page's player
    this.refusedMs = 0;
    this.following = 0;
    this.playout = new ServerPlayout();
    this.remote = new RemoteSound();
    this.speaker = new Speaker(
      {
        played: (report) => this.played(report),
        status: (status) => this.statusOf(status),
        blocked: (isBlocked) => this.blocked(isBlocked),
      },
      retryDelayMs,
    );
  }

  /** @param {boolean} whether over this connection the server plays, and not this page */
  serverIsToPlay(whether) {
    this.serverPlays = whether;
    clearInterval(this.following);
    if (whether) this.following = window.setInterval(() => this.follow(), FOLLOWING_MS);
  }

  /** What the server says of what it plays. @param {WireEvent} event @param {number} nowMs */
  receive(event, nowMs) {
    if (this.serverPlays) this.tell(this.playout.receive(event, nowMs));
  }

  /** Silence, now; a "flushed" report tells how far each item was heard. */
  flush() {
    if (this.serverPlays) this.tell(this.playout.flush(performance.now()));
    else this.speaker.flush();
  }

  /** Sound that the server plays ends with the connection. */
  lost() {
    if (!this.serverPlays) return;
    clearInterval(this.following);
    this.remote.attach(null);
    this.playout.lost();
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
  follow() {
    this.level = this.remote.level(this.speaker.context);
    this.tell(this.playout.tick(performance.now()));
    this.listener.levels();
  }

  /** @param {PlaybackReport[]} reports */
  tell(reports) {
    for (const report of reports) this.listener.played(report);
  }

  /** @param {PlaybackReport} report */
  played(report) {
    this.underruns = report.underruns;
    this.listener.played(report);
  }

  /** @param {import("./playback_worklet.js").PlaybackStatus} status */
  statusOf(status) {
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
