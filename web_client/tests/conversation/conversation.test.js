import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { encodePcm } from "../../conversation/base64.js";
import { Conversation, THINKING_AT_MOST_MS } from "../../conversation/conversation.js";
import { PLAYBACK_EVERY_MS } from "../../conversation/playback.js";
import { spokenText } from "../../conversation/transcript_line.js";

const HUNDRED_MS = encodePcm(new Int16Array(2400));
const TEXT = "One two three four.";
let talk = new Conversation();

const started = { type: "input_audio_buffer.speech_started", item_id: "u" };
const stopped = { type: "input_audio_buffer.speech_stopped", item_id: "u" };
const created = (id = "r") => ({ type: "response.created", response: { id } });
const done = (status, id = "r") => ({ type: "response.done", response: { id, status } });
const words = (delta, id = "r", item = "a") => ({ type: "response.output_audio_transcript.delta", response_id: id, item_id: item, delta });
const sound = (id = "r", item = "a") => ({ type: "response.output_audio.delta", response_id: id, item_id: item, delta: HUNDRED_MS });
const mark = (ms, end) => ({ type: "parlour.alignment", item_id: "a", audio_end_ms: ms, text_end: end });
const kinds = (effects) => effects.map((effect) => effect.event?.type ?? effect.kind);
const feed = (...events) => events.flatMap((event) => talk.receive(event, 0));

/** An answer of 400 ms of which so much was heard. */
function answering(heardMs) {
  feed(created(), words(TEXT), mark(200, 7), mark(400, 19), sound(), sound(), sound(), sound());
  talk.played({ kind: "started", item: "a", playedMs: 0, underruns: 0 }, 0);
  talk.played({ kind: "progress", item: "a", playedMs: heardMs, underruns: 0 }, 10);
}

beforeEach(() => {
  talk = new Conversation();
});

test("the activity follows the events", () => {
  assert.equal(talk.activity(0), "listening");
  feed(started);
  assert.equal(talk.activity(0), "hearing");
  feed(stopped);
  assert.equal(talk.activity(0), "thinking");
  assert.equal(talk.activity(THINKING_AT_MOST_MS), "listening", "no answer is waited for for ever");
  answering(100);
  assert.equal(talk.activity(0), "speaking");
  feed({ type: "response.output_audio.done", response_id: "r", item_id: "a" }, done("completed"));
  assert.equal(talk.activity(0), "speaking", "until the last sample was heard");
  talk.played({ kind: "finished", item: "a", playedMs: 400, underruns: 0 }, 0);
  assert.equal(talk.activity(0), "listening");
});

test("speech without words is owed no answer", () => {
  feed(started, stopped, { type: "conversation.item.input_audio_transcription.completed", item_id: "u", transcript: "" });
  assert.equal(talk.activity(0), "listening");
});

test("a barge-in flushes, truncates to what was heard, and plays nothing of the ended response", () => {
  answering(150);
  assert.deepEqual(kinds(feed(started)), ["flush"]);
  const effects = talk.played({ kind: "flushed", items: [{ item: "a", playedMs: 200 }], underruns: 1 }, 20);
  assert.deepEqual(kinds(effects).slice(0, 2), ["parlour.playback", "conversation.item.truncate"]);
  assert.equal(effects[0].event.played_ms, 200);
  assert.equal(effects[1].event.audio_end_ms, 200);
  assert.equal(spokenText(talk.lines[0]), "One two");
  assert.deepEqual(feed(sound(), words(" five")), []);
  assert.equal(talk.lines[0].text, TEXT);
});

test("what the server heard said counts, also when it says so before the page could", () => {
  answering(150);
  feed(started, { type: "parlour.heard", item_id: "a", audio_end_ms: 100, transcript: "One" });
  const effects = talk.played({ kind: "flushed", items: [{ item: "a", playedMs: 200 }], underruns: 0 }, 20);
  assert.ok(kinds(effects).includes("conversation.item.truncate"), "the page's own measure is told all the same");
  assert.equal(spokenText(talk.lines[0]), "One");
  feed({ type: "parlour.heard", item_id: "a", audio_end_ms: 200, transcript: "One two" });
  assert.equal(spokenText(talk.lines[0]), "One two");
});

test("a session that forbids interruptions goes on speaking", () => {
  feed({ type: "session.updated", session: { audio: { input: { turn_detection: { interrupt_response: false } } } } });
  answering(100);
  assert.deepEqual(feed(started), []);
});

test("playback is acknowledged at the start, every 200 ms, and at the end", () => {
  const report = (kind, playedMs, nowMs) => kinds(talk.played({ kind, item: "a", playedMs, underruns: 0 }, nowMs));
  feed(created(), words(TEXT), sound());
  assert.deepEqual(report("started", 0, 1000), ["parlour.playback"]);
  assert.deepEqual(report("progress", 20, 1020), []);
  assert.deepEqual(report("progress", 200, 1000 + PLAYBACK_EVERY_MS), ["parlour.playback"]);
  assert.deepEqual(report("progress", 220, 1020 + PLAYBACK_EVERY_MS), []);
  assert.ok(report("finished", 400, 1400).includes("parlour.playback"));
});

test("a server that refuses the extensions is not sent them, and nobody is bothered", () => {
  assert.deepEqual(feed({ type: "error", error: { event_id: "parlour_extensions", message: "unknown" } }), []);
  feed(created(), sound());
  assert.deepEqual(talk.played({ kind: "started", item: "a", playedMs: 0, underruns: 0 }, 0), []);
});

test("stopping before the answer began cancels it as soon as it does", () => {
  feed(started, stopped);
  assert.deepEqual(talk.stop(), []);
  assert.deepEqual(kinds(feed(created())), ["response.cancel"]);
  assert.deepEqual(feed(sound()), []);
});

test("a question typed into an answer asks only once the answer has ended", () => {
  answering(100);
  const effects = talk.typed("And?", "t", 0);
  assert.deepEqual(kinds(effects), ["response.cancel", "flush", "conversation.item.create"]);
  assert.ok(kinds(feed(done("cancelled"))).includes("response.create"));
});

test("a question typed before the answer to another was created gets the only answer", () => {
  assert.deepEqual(kinds(talk.typed("One?", "t1", 0)), ["conversation.item.create", "response.create"]);
  assert.deepEqual(kinds(talk.typed("Two?", "t2", 0)), ["conversation.item.create"]);
  assert.deepEqual(kinds(feed(created("r1"))), ["response.cancel"]);
  assert.deepEqual(kinds(feed(done("cancelled", "r1"))), ["response.create"]);
  assert.deepEqual(kinds(feed(created("r2"), done("completed", "r2"))), []);
});

test("a question typed while the answer to speech was on its way is asked after that, and nobody is told", () => {
  feed(started, stopped);
  assert.deepEqual(kinds(talk.typed("And?", "t", 0)), ["conversation.item.create", "response.create"]);
  feed(created());
  const refused = { type: "error", error: { code: "conversation_already_has_active_response", message: "busy" } };
  assert.deepEqual(kinds(feed(refused)), ["response.cancel"]);
  assert.deepEqual(kinds(feed(done("cancelled"))), ["response.create"]);
});

test("a question whose request was refused does not hold up the next one", () => {
  talk.typed("One?", "t1", 0);
  talk.typed("Two?", "t2", 0);
  const refused = { type: "error", error: { code: "invalid_value", message: "no" } };
  assert.deepEqual(kinds(feed(refused)), ["notice", "response.create"]);
});

/** What a new session is asked, after the one at hand is gone. */
function askedAnew() {
  talk.disconnected();
  return talk.openQuestion(0).map(({ type }) => type);
}

const hears = (item = "a") => talk.played({ kind: "started", item, playedMs: 0, underruns: 0 }, 0);
const SAID = { type: "conversation.item.input_audio_transcription.completed", item_id: "u", transcript: "Hi" };
const SILENT = { ...SAID, transcript: "" };

for (const [what, happens, asked] of /** @type {[string, () => void, boolean][]} */ ([
  ["was typed", () => talk.typed("Who?", "t", 0), true],
  ["was typed, and an answer was begun", () => (talk.typed("Who?", "t", 0), feed(created())), true],
  ["was typed, and of an answer only words came", () => (talk.typed("Who?", "t", 0), feed(created(), words(TEXT))), true],
  ["was typed into another answer", () => (answering(100), talk.typed("Who?", "t", 0)), true],
  ["was typed into another answer, which ended", () => (answering(100), talk.typed("Who?", "t", 0), feed(done("cancelled"))), true],
  ["was spoken", () => feed(started, stopped, SAID), true],
  ["was spoken, and nobody knows what", () => feed(started, stopped), false],
  ["was silence", () => feed(started, stopped, SILENT), false],
  ["is answered in sound", () => (talk.typed("Who?", "t", 0), feed(created(), words(TEXT), sound()), hears()), false],
  ["is answered in text", () => (talk.typed("Who?", "t", 0), feed(created(), { type: "response.output_text.delta", response_id: "r", item_id: "a", delta: "I." })), false],
  ["was stopped", () => (talk.typed("Who?", "t", 0), talk.stop()), false],
  ["could not be answered", () => (talk.typed("Who?", "t", 0), feed(created(), done("failed"))), false],
  ["needed no words", () => (talk.typed("Who?", "t", 0), feed(created(), done("completed"))), false],
  ["was left for another", () => (talk.typed("Who?", "t", 0), feed(started)), false],
  ["is answered on another device", () => (talk.typed("Who?", "t", 0), feed({ type: "parlour.moved" })), false],
])) {
  test(`a new session is ${asked ? "" : "not "}asked what ${what}`, () => {
    happens();
    assert.deepEqual(askedAnew(), asked ? ["response.create"] : []);
  });
}

test("over a call, an answer that was made but not heard was not given", () => {
  talk.serverPlays = true;
  talk.typed("Who?", "t", 0);
  feed(created(), words(TEXT), done("completed"));
  assert.deepEqual(askedAnew(), ["response.create"]);
  feed(created("r2"), words(TEXT, "r2", "a2"), done("completed", "r2"));
  hears("a2");
  assert.deepEqual(askedAnew(), []);
});

test("an answer that failed can be asked for again, once", () => {
  talk.typed("Who?", "t", 0);
  feed(created(), done("failed"));
  assert.deepEqual(kinds(talk.requestAgain(0)), ["response.create"]);
  assert.deepEqual(talk.requestAgain(0), []);
});

test("a model that thinks before it speaks is said to, once an answer and until its first word", () => {
  const thinking = { type: "parlour.thinking", response_id: "r" };
  assert.deepEqual(feed(thinking), [], "of an answer that is not there");
  assert.deepEqual(kinds(feed(created(), thinking, thinking)), ["announce"]);
  assert.equal(talk.reasoning, true);
  assert.equal(talk.activity(0), "thinking");
  feed(words(TEXT));
  assert.equal(talk.reasoning, false);
});

test("a cancelled answer of which no sound came was not said", () => {
  feed(created(), words(TEXT), started, done("cancelled"));
  assert.equal(spokenText(talk.lines[0]), "");
  assert.equal(talk.lines[0].cutAt, 0);
});

test("a text-only answer is said when it is read", () => {
  feed(created(), { type: "response.output_text.delta", response_id: "r", item_id: "a", delta: "Hello." });
  assert.equal(spokenText(talk.lines[0]), "Hello.");
});

test("a new session is told what was heard, no more", () => {
  feed(started, stopped, { type: "conversation.item.input_audio_transcription.completed", item_id: "u", transcript: "Hi" });
  answering(200);
  talk.disconnected();
  talk.played({ kind: "flushed", items: [{ item: "a", playedMs: 200 }], underruns: 0 }, 0);
  const told = talk.history().map(({ item }) => [item.role, item.content[0].text]);
  assert.deepEqual(told, [["user", "Hi"], ["assistant", "One two"]]);
});

test("each line is announced once, when nothing of it will change", () => {
  const said = [];
  const hear = (effects) => said.push(...effects.filter(({ kind }) => kind === "announce").map(({ text }) => text));
  feed(created());
  hear(feed(words(TEXT), sound(), { type: "response.output_audio.done", response_id: "r", item_id: "a" }));
  hear(talk.played({ kind: "started", item: "a", playedMs: 0, underruns: 0 }, 0));
  hear(feed(done("completed")));
  assert.deepEqual(said, []);
  hear(talk.played({ kind: "finished", item: "a", playedMs: 100, underruns: 0 }, 0));
  hear(talk.played({ kind: "finished", item: "a", playedMs: 100, underruns: 0 }, 0));
  assert.deepEqual(said, [`Parlour: ${TEXT}`]);
});
