// @ts-check
/** A conversation as it is given away: what was said and heard, as text and as JSON. Pure. */

import { spokenText } from "./transcript_line.js";

/** @typedef {import("./transcript_line.js").TranscriptLine} TranscriptLine */
/**
 * cutOff: of an answer, what was made and not heard. heardAs: of a clip, as far as it was recognised.
 * @typedef {{id: string, role: "user" | "assistant", text: string, cutOff?: string,
 *   clips?: {name: string, lengthMs: number, heardAs: string}[]}} RecordLine
 */
/** startedAt: ISO 8601. @typedef {{version: 1, id: string, startedAt: string, lines: RecordLine[]}} ConversationRecord */

const TITLE_CHARS = 60;

/** @param {readonly TranscriptLine[]} lines @param {string} id @param {string} startedAt @returns {ConversationRecord} */
export function recordOf(lines, id, startedAt) {
  return { version: 1, id, startedAt, lines: lines.filter((line) => line.text.trim() !== "" || line.clips.length > 0).map(recordLine) };
}

/** @param {TranscriptLine} line @returns {RecordLine} */
function recordLine(line) {
  const said = line.cutAt === null ? line.text : spokenText(line);
  const cutOff = line.text.slice(said.length).trim();
  const clips = line.clips.map(({ clip, words }) => ({ name: clip.name, lengthMs: clip.lengthMs, heardAs: words.join(" ").trim() }));
  return { id: line.id, role: line.role, text: said.trim(), ...(cutOff ? { cutOff } : {}), ...(clips.length > 0 ? { clips } : {}) };
}

/** As people read it; in brackets what was cut off, and the clips. @param {ConversationRecord} record */
export function textOf({ lines }) {
  return lines
    .map(({ role, text, cutOff, clips = [] }) => {
      const sounds = clips.map(({ name, heardAs }) => `[clip: ${name}${heardAs ? `, heard as “${heardAs}”` : ""}]`);
      const said = [...sounds, text, cutOff ? `[cut off: ${cutOff}]` : ""].filter((part) => part !== "").join(" ");
      return `${role === "user" ? "You" : "Parlour"}: ${said}`;
    })
    .join("\n\n");
}

/** @param {ConversationRecord} record */
export const jsonOf = (record) => `${JSON.stringify(record, null, 1)}\n`;

/** What it began with. @param {ConversationRecord} record */
export function titleOf({ lines }) {
  const first = lines.find(({ role }) => role === "user") ?? lines[0];
  const title = first?.text || first?.clips?.[0]?.name || "Without words";
  const characters = [...title.replaceAll(/\s+/g, " ")];
  return characters.length > TITLE_CHARS ? `${characters.slice(0, TITLE_CHARS - 1).join("").trimEnd()}…` : characters.join("");
}
