// @ts-check
/** Keeps the conversation at hand, where the user wants that: its words when they have changed, and each turn's sound once. */

import { recordOf } from "../conversation/record.js";
import { ArchiveError } from "./archive.js";

/** @typedef {import("../conversation/conversation.js").Conversation} Conversation */
/** @typedef {import("../conversation/record.js").ConversationRecord} ConversationRecord */
/** @typedef {import("../conversation/record.js").RecordLine} RecordLine */
/** @typedef {{words: boolean, sound: boolean}} Wishes */
/**
 * earlier: what was kept before the page was loaded again, which knows more of it than what the server tells anew.
 * sounds: the lines whose sound is kept.
 * @typedef {{id: string, startedAt: string, earlier: Promise<RecordLine[]>, written: string, sounds: Set<string>, isDeleted: boolean}} Kept
 */

const SETTLE_MS = 1_000; // words come one by one, and are written together

export class Keeper {
  /**
   * @param {import("./archive.js").Archive} archive @param {() => Wishes} wishes
   * @param {(conversation: Conversation, lineId: string) => Int16Array | null} soundOf a line that is over @param {(trouble: string) => void} onTrouble
   */
  constructor(archive, wishes, soundOf, onTrouble) {
    this.archive = archive;
    this.wishes = wishes;
    this.soundOf = soundOf;
    this.onTrouble = onTrouble;
    /** @type {WeakMap<Conversation, Kept>} */
    this.known = new WeakMap();
    this.timer = 0;
    this.troubled = false;
  }

  /** It may have changed. @param {Conversation} conversation */
  changed(conversation) {
    if (!this.wishes().words || this.timer !== 0 || conversation.lines.length === 0) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      void this.write(conversation);
    }, SETTLE_MS);
  }

  /** @param {Conversation} conversation */
  async write(conversation) {
    const kept = this.keptAs(conversation);
    if (!this.wishes().words || kept.isDeleted || conversation.lines.length === 0) return;
    try {
      const now = this.record(conversation);
      const record = { ...now, lines: continued(await kept.earlier, now.lines) };
      const written = JSON.stringify(record.lines);
      if (written !== kept.written) await this.archive.put(record);
      kept.written = written;
      if (this.wishes().sound) await this.writeSounds(conversation, kept);
      this.troubled = false;
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      if (!this.troubled) this.onTrouble(error.message);
      this.troubled = true; // said once, until it works again
    }
  }

  /** @param {Conversation} conversation @param {Kept} kept */
  async writeSounds(conversation, kept) {
    for (const [order, { id }] of conversation.lines.entries()) {
      const pcm = kept.sounds.has(id) || kept.isDeleted ? null : this.soundOf(conversation, id);
      if (pcm === null) continue;
      kept.sounds.add(id);
      await this.archive.putSound({ conversation: kept.id, line: id, order, pcm });
    }
  }

  /** As it would be kept. @param {Conversation} conversation @returns {ConversationRecord} */
  record(conversation) {
    const { id, startedAt } = this.keptAs(conversation);
    return recordOf(conversation.lines, id, startedAt);
  }

  /** It was deleted while it goes on: it stays so. @param {Conversation} conversation @param {string | null} id of the deleted one; null: all */
  deleted(conversation, id) {
    const kept = this.keptAs(conversation);
    if (id === null || id === kept.id) kept.isDeleted = true;
  }

  /** A conversation that the page was in when it was left goes on. @param {Conversation} conversation @param {{id: string, startedAt: string}} as */
  adopt(conversation, { id, startedAt }) {
    const earlier = this.archive.get(id).then((record) => record?.lines ?? []);
    earlier.catch(() => {}); // who writes it is told
    this.known.set(conversation, { id, startedAt, earlier, written: "", sounds: new Set(), isDeleted: false });
  }

  /** @param {Conversation} conversation @returns {Kept} */
  keptAs(conversation) {
    let kept = this.known.get(conversation);
    if (!kept) {
      const startedAt = new Date().toISOString();
      const id = `${startedAt} ${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
      kept = { id, startedAt, earlier: Promise.resolve([]), written: "", sounds: new Set(), isDeleted: false };
      this.known.set(conversation, kept);
    }
    return kept;
  }
}

/**
 * What was kept, and what came since. Its last line may not have been complete: told anew, it counts as it is told.
 * @param {readonly RecordLine[]} earlier @param {readonly RecordLine[]} now @returns {RecordLine[]}
 */
export function continued(earlier, now) {
  const isLastToldAnew = now.some(({ id }) => id === earlier.at(-1)?.id);
  const kept = isLastToldAnew ? earlier.slice(0, -1) : earlier;
  const known = new Set(kept.map(({ id }) => id));
  return [...kept, ...now.slice(now.findLastIndex(({ id }) => known.has(id)) + 1)];
}
