// @ts-check
/** Past conversations in the browser's own storage (IndexedDB), and their sound apart from them: a list of many is read without it. */

/** @typedef {import("../conversation/record.js").ConversationRecord} ConversationRecord */
/** order: of its line in the conversation. @typedef {{conversation: string, line: string, order: number, pcm: Int16Array}} KeptSound */

const NAME = "parlour";
const VERSION = 1;

/** The browser keeps nothing for this page, or has no room. */
export class ArchiveError extends Error {}

/** Every method throws ArchiveError. */
export class Archive {
  constructor() {
    /** @type {Promise<IDBDatabase> | null} */
    this.opened = null;
  }

  /** @param {ConversationRecord} record replaces an older one of its id */
  async put(record) {
    await this.write((conversations) => conversations.put(record));
  }

  /** @param {KeptSound} sound */
  async putSound(sound) {
    await this.write((_, sounds) => sounds.put(sound));
  }

  /** The newest first. @returns {Promise<ConversationRecord[]>} */
  async list() {
    const records = await this.read("conversations", (store) => store.getAll());
    return records.sort((/** @type {ConversationRecord} */ one, /** @type {ConversationRecord} */ other) => other.startedAt.localeCompare(one.startedAt));
  }

  /** @param {string} id @returns {Promise<ConversationRecord | undefined>} */
  async get(id) {
    return this.read("conversations", (store) => store.get(id));
  }

  /** Whose sound is kept. @returns {Promise<Set<string>>} */
  async withSound() {
    const keys = await this.read("sounds", (store) => store.getAllKeys());
    return new Set(keys.map((/** @type {[string, string]} */ [conversation]) => conversation));
  }

  /** In the order of its lines. @param {string} id @returns {Promise<Int16Array[]>} */
  async soundsOf(id) {
    const kept = await this.read("sounds", (store) => store.getAll(allOf(id)));
    return kept.sort((/** @type {KeptSound} */ one, /** @type {KeptSound} */ other) => one.order - other.order).map((/** @type {KeptSound} */ { pcm }) => pcm);
  }

  /** @param {string} id */
  async delete(id) {
    await this.write((conversations, sounds) => {
      conversations.delete(id);
      sounds.delete(allOf(id));
    });
  }

  async clear() {
    await this.write((conversations, sounds) => {
      conversations.clear();
      sounds.clear();
    });
  }

  /** @param {"conversations" | "sounds"} name @param {(store: IDBObjectStore) => IDBRequest} ask @returns {Promise<any>} */
  async read(name, ask) {
    const database = await this.open();
    return settled(() => ask(database.transaction(name).objectStore(name)));
  }

  /** All or nothing. @param {(conversations: IDBObjectStore, sounds: IDBObjectStore) => void} change */
  async write(change) {
    const database = await this.open();
    return new Promise((/** @type {(value?: undefined) => void} */ resolve, reject) => {
      const transaction = database.transaction(["conversations", "sounds"], "readwrite");
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(new ArchiveError(sentenceFor(transaction.error)));
      change(transaction.objectStore("conversations"), transaction.objectStore("sounds"));
      transaction.commit(); // not when the page finds time for it: it may be about to go
    });
  }

  open() {
    this.opened ??= openDatabase().catch((error) => {
      this.opened = null; // it may be allowed the next time
      throw error;
    });
    return this.opened;
  }
}

/** @returns {Promise<IDBDatabase>} */
async function openDatabase() {
  return settled(() => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("conversations", { keyPath: "id" });
      request.result.createObjectStore("sounds", { keyPath: ["conversation", "line"] });
    };
    return request;
  });
}

/** @param {() => IDBRequest} ask @returns {Promise<any>} */
function settled(ask) {
  return new Promise((resolve, reject) => {
    try {
      const request = ask();
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(new ArchiveError(sentenceFor(request.error)));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      reject(new ArchiveError(sentenceFor(error))); // storage is forbidden
    }
  });
}

/** All sounds of a conversation, whatever their lines. @param {string} id */
const allOf = (id) => IDBKeyRange.bound([id], [id, []]); // lists come after texts

/** @param {DOMException | null} error */
const sentenceFor = (error) =>
  error?.name === "QuotaExceededError"
    ? "The browser has no room left for this page: delete past conversations, or keep them without sound."
    : "This browser lets the page keep nothing: it may be a private window, or storage may be switched off.";
