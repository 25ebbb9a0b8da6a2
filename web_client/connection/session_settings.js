// @ts-check
/** What the page asks of each new session. */

/** @typedef {import("../conversation/effects.js").WireEvent} WireEvent */

const EXTENSIONS = { playback_ack: true, alignment: true, trace: true, resume: true, thinking: true };

/**
 * The extensions are asked for apart: a server that does not know them refuses them alone.
 * @param {boolean} canPlay else answers come as text @param {string} voice "" is the server's choice @returns {WireEvent[]}
 */
export function sessionUpdates(canPlay, voice) {
  const format = { type: "audio/pcm", rate: 24_000 };
  const output = voice ? { format, voice } : { format };
  const audio = { input: { format, transcription: { model: "default" } }, output };
  const modality = canPlay ? "audio" : "text";
  return [{ type: "session.update", session: { type: "realtime", output_modalities: [modality], audio } }, extensions()];
}

/** A conversation that began at another kind of device lacks what this page needs. @param {WireEvent | undefined} session @returns {WireEvent[]} */
export function missingExtensions(session) {
  const has = /** @type {Record<string, unknown>} */ (session?.parlour ?? {});
  return Object.keys(EXTENSIONS).every((name) => has[name] === true) ? [] : [extensions()];
}

/** @returns {WireEvent} */
const extensions = () => ({ type: "session.update", event_id: "parlour_extensions", session: { type: "realtime", parlour: EXTENSIONS } });
