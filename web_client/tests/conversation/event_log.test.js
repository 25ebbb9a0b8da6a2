import assert from "node:assert/strict";
import { test } from "node:test";

import { encodePcm } from "../../conversation/base64.js";
import { EventLog, asLines } from "../../conversation/event_log.js";

test("the event log counts what streams, leaves sound out, and finds what is asked for", () => {
  const log = new EventLog();
  const sound = encodePcm(new Int16Array(480));
  const append = { type: "input_audio_buffer.append", audio: sound };
  log.add("sent", append, 1);
  log.add("sent", append, 21);
  log.add("received", { type: "response.created", response: { id: "r" } }, 30);
  log.add("sent", append, 41);
  log.add("received", { type: "response.output_audio_transcript.delta", delta: "Good" }, 50);
  log.add("received", { type: "response.output_audio.delta", delta: sound }, 51);
  log.add("received", { type: "response.output_audio_transcript.delta", delta: " day" }, 52);
  assert.deepEqual(log.entries.map(({ count }) => count), [2, 1, 1, 2, 1]);
  assert.equal(log.entries[3].event.delta, "Good day");
  assert.equal(log.entries[0].event.audio, "(20 ms of sound)");
  assert.ok(!asLines(log.entries).includes(sound));
  assert.deepEqual(log.matching("response.created").map(({ id }) => id), [2]);
  assert.equal(asLines(log.entries).split("\n").length, 5);
});
