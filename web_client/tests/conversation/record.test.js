import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonOf, recordOf, textOf, titleOf } from "../../conversation/record.js";
import { newLine } from "../../conversation/transcript_line.js";

/** @param {string} id @param {"user" | "assistant"} role @param {object} rest */
const line = (id, role, rest) => ({ ...newLine(id, role), ...rest });
const clip = { name: "door.wav", lengthMs: 1_200, parts: ["AAAA"] };
const LINES = [
  line("a", "user", { text: "What is this?", clips: [{ clip, words: ["knock", "knock"] }] }),
  line("b", "assistant", { text: "It is a door, I think.", cutAt: 13, heardMs: 900 }),
  line("c", "user", { text: " " }),
  line("d", "user", { text: "", clips: [{ clip, words: [""] }] }),
];

test("what is given away is what was said, with what was cut off and the clips marked, and no sound", () => {
  const record = recordOf(LINES, "x", "2026-01-02T03:04:05.000Z");
  assert.deepEqual(record.lines.map(({ id }) => id), ["a", "b", "d"]);
  assert.deepEqual(record.lines[1], { id: "b", role: "assistant", text: "It is a door,", cutOff: "I think." });
  assert.equal(
    textOf(record),
    "You: [clip: door.wav, heard as “knock knock”] What is this?\n\nParlour: It is a door, [cut off: I think.]\n\nYou: [clip: door.wav]",
  );
  assert.deepEqual(JSON.parse(jsonOf(record)), record);
  assert.ok(!jsonOf(record).includes("AAAA"));
});

test("a conversation is known by what it began with", () => {
  const titled = (/** @type {object[]} */ lines) => titleOf(recordOf(/** @type {any} */ (lines), "x", ""));
  assert.equal(titled(LINES), "What is this?");
  assert.equal(titled([LINES[3]]), "door.wav");
  assert.equal([...titled([line("a", "user", { text: "😀".repeat(90) })])].length, 60);
});
