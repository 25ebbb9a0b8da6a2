// @ts-check
/** What the conversation wants done: its core is pure, and this is what comes out of it. */

/** @typedef {{type: string, [field: string]: any}} WireEvent an event of the realtime protocol, either way */
/**
 * upload: what `Conversation.uploads` has next may be sent.
 * @typedef {{kind: "play", item: string, audio: string} | {kind: "end", item: string} | {kind: "flush"}
 *   | {kind: "send", event: WireEvent} | {kind: "upload"} | {kind: "announce", text: string} | {kind: "notice", text: string}} Effect
 */

/** @param {WireEvent} event @returns {Effect} */
export const send = (event) => ({ kind: "send", event });
