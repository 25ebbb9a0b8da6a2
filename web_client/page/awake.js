// @ts-check
/** A telephone must not go to sleep in mid-conversation; where it cannot be asked, it may. */

export class Awake {
  constructor() {
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    this.isWanted = false;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.lock = null; // the browser took it
      else if (this.isWanted) void this.stay();
    });
  }

  async stay() {
    this.isWanted = true;
    if (this.lock || !navigator.wakeLock) return;
    try {
      this.lock = await navigator.wakeLock.request("screen");
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  }

  sleep() {
    this.isWanted = false;
    void this.lock?.release();
    this.lock = null;
  }
}
