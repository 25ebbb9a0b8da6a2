// @ts-check
/**
 * What was heard of an answer that the server plays: by its word when that begins and ends, and by the clock between.
 * It tells the same as the player of this page does (player.js). Pure.
 */

/** @typedef {import("../conversation/effects.js").WireEvent} WireEvent */
/** @typedef {import("../conversation/playback.js").PlaybackReport} PlaybackReport */

const REMEMBERED_ITEMS = 64; // of responses that may still be played; more are not told of

export class ServerPlayout {
  constructor() {
    /** @type {Map<string, string>} the item with the words, by response */
    this.items = new Map();
    /** @type {{response: string, item: string, sinceMs: number} | null} what is heard */
    this.playing = null;
  }

  /** @param {WireEvent} event @param {number} nowMs @returns {PlaybackReport[]} */
  receive(event, nowMs) {
    switch (event.type) {
      case "parlour.resumed": // of an answer that had been made to its end, no more is told than that it plays
        for (const { response_id, item_id } of event.playing) this.items.set(response_id, item_id);
        return [];
      case "response.output_item.added":
        if (event.item?.type === "message") this.items.set(event.response_id, event.item.id);
        if (this.items.size > REMEMBERED_ITEMS) this.items.delete([...this.items.keys()][0]);
        return [];
      case "output_audio_buffer.started": {
        const item = this.items.get(event.response_id);
        if (item === undefined) return [];
        this.playing = { response: event.response_id, item, sinceMs: nowMs };
        return [{ kind: "started", item, playedMs: 0, underruns: 0 }];
      }
      case "output_audio_buffer.stopped":
        if (this.playing?.response !== event.response_id) return [];
        return this.end("finished", nowMs);
      case "output_audio_buffer.cleared":
        if (this.playing?.response !== event.response_id) return [];
        return this.flush(nowMs);
      default:
        return [];
    }
  }

  /** @param {number} nowMs @returns {PlaybackReport[]} */
  tick(nowMs) {
    if (this.playing === null) return [];
    return [{ kind: "progress", item: this.playing.item, playedMs: nowMs - this.playing.sinceMs, underruns: 0 }];
  }

  /** What is heard ends here, whatever the server may still send. @param {number} nowMs @returns {PlaybackReport[]} */
  flush(nowMs) {
    const items = this.playing === null ? [] : [{ item: this.playing.item, playedMs: nowMs - this.playing.sinceMs }];
    this.playing = null;
    return [{ kind: "flushed", items, underruns: 0 }];
  }

  /** The connection is gone, and the sound with it. */
  connectionLost() {
    this.playing = null;
  }

  /** @param {"finished"} kind @param {number} nowMs @returns {PlaybackReport[]} */
  end(kind, nowMs) {
    if (this.playing === null) return [];
    const { item, sinceMs } = this.playing;
    this.playing = null;
    return [{ kind, item, playedMs: nowMs - sinceMs, underruns: 0 }];
  }
}
