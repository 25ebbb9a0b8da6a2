// @ts-check
/** What the page asks of each new session. */

import { Speaker } from "./speaker.js";

/** @typedef {import("./effects.js").WireEvent} WireEvent */

/**
 * The extensions are asked for apart: a server that does not know them refuses them alone.
 * @param {string} voice "" is the server's choice @returns {WireEvent[]}
 */
export function sessionUpdates(voice) {
  const format = { type: "audio/pcm", rate: 24_000 };
  const output = voice ? { format, voice } : { format };
  const audio = { input: { format, transcription: { model: "default" } }, output };
  const modality = Speaker.canPlay ? "audio" : "text";
  const parlour = { playback_ack: true, alignment: true, trace: true, resume: true };
  return [
    { type: "session.update", session: { type: "realtime", output_modalities: [modality], audio } },
    { type: "session.update", event_id: "parlour_extensions", session: { type: "realtime", parlour } },
  ];
}
