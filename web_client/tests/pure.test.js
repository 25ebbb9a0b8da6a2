import assert from "node:assert/strict";
import { test } from "node:test";

import { FRAME_SAMPLES, Framer } from "../audio/framer.js";
import { LONGEST_DELAY_MS, delayMs } from "../connection/backoff.js";
import { isSpoken, spokenCharacters, words } from "../conversation/alignment.js";
import { decodePcm, encodePcm, sampleCount } from "../conversation/base64.js";
import { EventLog, asLines } from "../conversation/event_log.js";
import { TurnLog } from "../conversation/turns.js";
import { mergeTurns, seconds, stageBars, waterfall } from "../page/waterfall.js";

test("samples survive base64, and agree with another implementation", () => {
  const samples = Int16Array.from({ length: 10_000 }, (_, at) => ((at * 7919) % 65_536) - 32_768);
  const base64 = encodePcm(samples);
  assert.equal(base64, Buffer.from(samples.buffer).toString("base64"));
  assert.deepEqual(decodePcm(base64), samples);
  assert.equal(sampleCount(base64), samples.length);
  for (const length of [0, 1, 2, 3]) assert.equal(sampleCount(encodePcm(new Int16Array(length))), length);
  assert.equal(decodePcm("AAAB").length, 1, "half a sample is none");
});

test("the back-off doubles, has a ceiling, and half of it is chance", () => {
  assert.deepEqual([0, 1, 2].map((attempt) => delayMs(attempt, 0)), [250, 500, 1000]);
  assert.deepEqual([0, 1, 2].map((attempt) => delayMs(attempt, 1)), [500, 1000, 2000]);
  assert.equal(delayMs(1000, 1), LONGEST_DELAY_MS);
  assert.notEqual(delayMs(3, 0.1), delayMs(3, 0.9));
});

test("spoken text lies between the marks, and never beyond the last one", () => {
  const marks = [
    { audioEndMs: 1000, textEnd: 10 },
    { audioEndMs: 2000, textEnd: 30 },
  ];
  const answer = { textLength: 50, audioMs: 4000, audioEnded: false };
  const at = (heardMs) => spokenCharacters(marks, heardMs, answer);
  assert.deepEqual([0, 500, 1000, 1500, 2000, 3999].map(at), [0, 5, 10, 20, 30, 30]);
  assert.equal(spokenCharacters(marks, 4000, { ...answer, audioEnded: true }), 50);
});

test("without marks spoken text is estimated, and within the text", () => {
  const answer = { textLength: 100, audioMs: 10_000, audioEnded: true };
  assert.equal(spokenCharacters([], 5000, answer), 50);
  assert.equal(spokenCharacters([], 2000, { ...answer, audioEnded: false }), 30);
  assert.equal(spokenCharacters([], 60_000, { ...answer, audioEnded: false }), 100);
});

test("words cover the whole text, and count as spoken from their middle on", () => {
  const text = "Good evening,  you.";
  const found = words(text);
  assert.deepEqual(found.map(({ start, end }) => text.slice(start, end)), ["Good", " evening,", "  you."]);
  assert.equal(isSpoken(found[0], 1), false);
  assert.equal(isSpoken(found[0], 2), true);
});

test("a waterfall's bars follow one another, and leave out what did not happen", () => {
  const turn = { response_id: "r", decision_ms: 500, first_token_ms: 700, first_audio_ms: null, first_heard_ms: 950 };
  const { totalMs, bars } = waterfall(turn);
  assert.equal(totalMs, 950);
  assert.deepEqual(bars.map(({ startMs, endMs }) => [startMs, endMs]), [[0, 500], [500, 700], [700, 950]]);
  assert.deepEqual(waterfall({ ...turn, first_token_ms: 400 }).bars[1], { label: "First token", startMs: 400, endMs: 400 });
  assert.equal(seconds(950), "0.95 s");
});

test("a second event about a turn fills up the first", () => {
  const first = { response_id: "r", decision_ms: 5, first_token_ms: 6, first_audio_ms: 7, first_heard_ms: null, stages: { prefill: 1 } };
  const second = { ...first, decision_ms: null, first_heard_ms: 9, stages: { decode: 2 } };
  const merged = mergeTurns(mergeTurns(undefined, first), second);
  assert.equal(merged.decision_ms, 5);
  assert.equal(merged.first_heard_ms, 9);
  assert.deepEqual(stageBars(merged).map(({ label, endMs }) => [label, endMs]), [["prefill", 1], ["decode", 2]]);
});

test("microphone sound of any rate becomes frames of 20 ms with their level", () => {
  for (const rate of [16_000, 44_100, 48_000]) {
    const framer = new Framer(rate);
    const frames = [];
    for (let at = 0; at < rate; at += 128) {
      frames.push(...framer.push(Float32Array.from({ length: 128 }, (_, n) => 0.5 * Math.sin((at + n) / 20))));
    }
    assert.ok(Math.abs(frames.length - 50) <= 1, `${frames.length} frames in a second at ${rate}`);
    assert.ok(frames.every(({ pcm }) => pcm.length === FRAME_SAMPLES));
    assert.ok(Math.abs(frames[20].level - 0.3536) < 0.02);
  }
});

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

test("a turn says what its times count from: the speech, the message, or the decision where the server is silent", () => {
  const log = new TurnLog();
  const created = (/** @type {string} */ id) => ({ type: "response.created", response: { id } });
  const times = { decision_ms: 500, first_token_ms: 600, first_audio_ms: 700, first_heard_ms: null };
  log.receive({ type: "input_audio_buffer.speech_stopped" }, 0);
  log.receive(created("spoken"), 10);
  log.receive({ type: "parlour.turn", turn: { response_id: "spoken", ...times } }, 900);
  log.typed(1000);
  log.receive(created("typed"), 1010);
  log.receive({ type: "parlour.turn", turn: { response_id: "typed", ...times } }, 1900);
  log.receive({ type: "input_audio_buffer.speech_stopped" }, 2000);
  log.receive(created("untold"), 2010);
  assert.deepEqual(log.turns().map(({ from }) => from), ["decision", "message", "end of speech"]);
});
