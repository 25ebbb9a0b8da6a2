import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { decodePcm, encodePcm, sampleCount } from "../../conversation/base64.js";
import { Conversation } from "../../conversation/conversation.js";

const TEXT = "One two three four.";
const HUNDRED_MS = encodePcm(Int16Array.from({ length: 2400 }, (_, at) => at));
const delta = { type: "response.output_audio.delta", response_id: "r", item_id: "a", delta: HUNDRED_MS };
const beginResync = (playing) => talk.resumed({ type: "parlour.resumed", replayed: false, playing, session: {} });
const synced = (id, role, content, status = "completed") =>
  talk.receive({ type: "conversation.item.added", item: { id, type: "message", role, status, content } }, 0);
const feed = (...events) => events.flatMap((event) => talk.receive(event, 0));
let talk = new Conversation();

beforeEach(() => {
  talk = new Conversation();
});

test("a page that knows nothing hears the rest, and counts from where it was heard last", () => {
  beginResync([{ item_id: "a", response_id: "r", heard_ms: 1000 }]);
  synced("u", "user", [{ type: "input_audio", transcript: "Hi" }]);
  synced("a", "assistant", [{ type: "output_audio", transcript: TEXT }]);
  assert.deepEqual(feed(delta), [{ kind: "play", item: "a", audio: HUNDRED_MS }]);
  const [report] = talk.played({ kind: "started", item: "a", playedMs: 0, underruns: 0 }, 0);
  assert.equal(report.event.played_ms, 1000);
  const effects = talk.played({ kind: "flushed", items: [{ item: "a", playedMs: 50 }], underruns: 0 }, 0);
  assert.deepEqual(effects.map(({ event }) => event?.played_ms ?? event?.audio_end_ms).slice(0, 2), [1050, 1050]);
  assert.deepEqual(talk.lines.map(({ role, text }) => [role, text]), [["user", "Hi"], ["assistant", TEXT]]);
});

test("sound that the player has is not played twice, to the sample", () => {
  const created = { type: "response.created", response: { id: "r" } };
  feed(created, { type: "response.output_audio_transcript.delta", response_id: "r", item_id: "a", delta: TEXT }, delta, delta);
  talk.played({ kind: "progress", item: "a", playedMs: 120, underruns: 0 }, 0);
  beginResync([{ item_id: "a", response_id: "r", heard_ms: 50 }]);
  synced("a", "assistant", [{ type: "output_audio", transcript: "One" }], "in_progress");
  feed(created, { type: "response.output_item.added", response_id: "r", item: { id: "a", type: "message" } });
  feed({ type: "response.output_audio_transcript.delta", response_id: "r", item_id: "a", delta: TEXT });
  assert.equal(talk.lines[0].text, TEXT, "its words are there once");
  assert.deepEqual(feed(delta), [], "50 to 150 ms are here");
  const [rest] = feed(delta);
  assert.equal(sampleCount(rest.audio), 1200, "150 to 250 ms are half here");
  assert.equal(decodePcm(rest.audio)[0], 1200);
  assert.equal(talk.lines[0].audioMs, 250);
  assert.deepEqual(feed(delta), [{ kind: "play", item: "a", audio: HUNDRED_MS }]);
});

test("what the page knows better stays, and an answer that nobody heard is made again", () => {
  feed({ type: "input_audio_buffer.speech_started", item_id: "u" });
  feed({ type: "conversation.item.input_audio_transcription.completed", item_id: "u", transcript: "Hi" });
  feed({ type: "response.created", response: { id: "r" } });
  feed({ type: "response.output_audio_transcript.delta", response_id: "r", item_id: "a", delta: TEXT });
  beginResync([]);
  synced("u", "user", [{ type: "input_audio", transcript: null }]);
  assert.deepEqual(talk.lines.map(({ id, text }) => [id, text]), [["u", "Hi"]]);
  assert.equal(talk.activity(0), "listening");
});

test("on the way to another device, what stops here is reported and not cut off", () => {
  feed({ type: "response.created", response: { id: "r" } });
  feed({ type: "response.output_audio_transcript.delta", response_id: "r", item_id: "a", delta: TEXT }, delta);
  assert.deepEqual(feed({ type: "parlour.moved" }), [{ kind: "flush" }]);
  const effects = talk.played({ kind: "flushed", items: [{ item: "a", playedMs: 60 }], underruns: 0 }, 0);
  assert.deepEqual(effects.map(({ event }) => event?.type), ["parlour.playback"]);
  assert.equal(talk.lines[0].cutAt, null);
});

test("a question that waited for another answer's end is asked at once, and no answer comes that nobody asked for", () => {
  feed({ type: "response.created", response: { id: "r" } });
  talk.typed("And?", "t", 0);
  const types = (effects) => effects.flatMap(({ event }) => (event ? [event.type] : []));
  assert.deepEqual(types(beginResync([])), ["response.create"]);
  feed({ type: "response.created", response: { id: "r2" } });
  const ended = feed({ type: "response.done", response: { id: "r2", status: "completed" } });
  assert.deepEqual(types(ended), []);
});
