// @ts-check
/** Keeps the screen on during a conversation (W3C, "Screen Wake Lock API"), where the browser can. */

export class ScreenWakeLock {
  constructor() {
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    this.isWanted = false;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.lock = null; // the browser took it
      else if (this.isWanted) void this.request();
    });
  }

  async request() {
    this.isWanted = true;
    if (this.lock || !navigator.wakeLock) return;
    try {
      this.lock = await navigator.wakeLock.request("screen");
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  }

  release() {
    this.isWanted = false;
    void this.lock?.release();
    this.lock = null;
  }
}
