import assert from "node:assert/strict";
import { test } from "node:test";
import { marksOfAnswer, marksOfUtterance } from "../../conversation/turn_marks.js";
import { TurnSounds } from "../../conversation/turn_sounds.js";

const FRAME = 480; // 20 ms
const DETECTION = { type: "server_vad", prefix_padding_ms: 300, silence_duration_ms: 500 };
const created = (detection = DETECTION) => ({ type: "session.created", session: { audio: { input: { turn_detection: detection } } } });

/** Hear so much, each sample with the number of its frame. @param {TurnSounds} sounds @param {number} ms */
function hear(sounds, ms) {
  for (let at = 0; at < ms; at += 20) sounds.captured(new Int16Array(FRAME).fill(sounds.position / FRAME));
}

/** A voice from 1 s to 2 s of the server's clock, which began `lateMs` after the microphone. @param {TurnSounds} sounds @param {number} lateMs @param {string | null} playing */
function speak(sounds, lateMs, playing = null) {
  hear(sounds, lateMs + 1_100);
  sounds.receive({ type: "input_audio_buffer.speech_started", item_id: "u", audio_start_ms: 700 }, playing);
  hear(sounds, 1_400);
  sounds.receive({ type: "input_audio_buffer.speech_stopped", item_id: "u", audio_end_ms: 2_100 }, null);
}

test("a turn is what was heard from before its first word to the decision that it was over", () => {
  for (const lateMs of [0, 640]) {
    const sounds = new TurnSounds();
    sounds.receive(created(), null);
    speak(sounds, lateMs);
    const pcm = sounds.pcmOf("u");
    assert.equal(pcm?.[0], (700 + lateMs) / 20);
    assert.equal(pcm?.length, 1_800 * 24);
  }
});

test("a message that was late does not move what was heard, once another was not", () => {
  const sounds = new TurnSounds();
  sounds.receive(created(), null);
  speak(sounds, 0);
  hear(sounds, 2_500); // the clock stands at 5 s
  sounds.receive({ type: "input_audio_buffer.speech_started", item_id: "v", audio_start_ms: 4_000 }, null);
  hear(sounds, 1_200); // at 6.2 s, and the server decided at 6 s
  sounds.receive({ type: "input_audio_buffer.speech_stopped", item_id: "v", audio_end_ms: 5_600 }, null);
  assert.equal(sounds.pcmOf("v")?.[0], 4_000 / 20);
});

test("marks say when one spoke and paused, why the turn ended, and that one had not finished", () => {
  const sounds = new TurnSounds();
  sounds.receive(created(), null);
  speak(sounds, 0, "answer");
  hear(sounds, 300);
  sounds.receive({ type: "input_audio_buffer.speech_started", item_id: "v", audio_start_ms: 2_400 }, null);
  const utterance = sounds.turns.get("u")?.utterance;
  assert.ok(utterance);
  const marks = marksOfUtterance(utterance, [{ startMs: 100, endMs: 250 }, { startMs: 600, endMs: 850 }]);
  assert.deepEqual(
    marks.map(({ atMs, name }) => [name, atMs]),
    [["start", 300], ["interruption", 300], ["pause", 600], ["end", 1_400], ["decided", 1_800]],
  );
  assert.equal(
    marks.at(-1)?.text,
    "At 1.8 s: your turn was taken for ended, for there had been 0.50 s of silence. You went on 0.70 s after your last word: longer than that, so it was cut.",
  );
});

test("a detector that minds the words is not said to count the silence", () => {
  const sounds = new TurnSounds();
  sounds.receive(created(/** @type {any} */ ({ type: "semantic_vad" })), null);
  speak(sounds, 0);
  const utterance = sounds.turns.get("u")?.utterance;
  assert.match((utterance && marksOfUtterance(utterance, []).at(-1)?.text) ?? "", /by the silence and by its words/);
});

test("an answer's sound is kept, and where it was interrupted and by what is marked", () => {
  const sounds = new TurnSounds();
  sounds.receive(created(), null);
  sounds.answered("answer", Int16Array.of(1, 2));
  sounds.answered("answer", Int16Array.of(3));
  speak(sounds, 0, "answer");
  assert.deepEqual(sounds.pcmOf("answer"), Int16Array.of(1, 2, 3));
  const turn = sounds.turns.get("answer");
  assert.ok(turn);
  assert.match(marksOfAnswer(turn, { heardMs: 1_500, isCut: true })[1].text, /^At 1.5 s: you spoke, and it stopped \(barge-in\)/);
  assert.equal(marksOfAnswer(turn, { heardMs: 1_500, isCut: false }).length, 1);
  assert.match(marksOfAnswer({ ...turn, interruptedBy: null }, { heardMs: 20, isCut: true })[1].text, /^At 0.02 s: it was stopped/);
});

test("no more than the limit is kept: the oldest goes, and never the newest", () => {
  const sounds = new TurnSounds(1_000);
  let forgotten = false;
  sounds.keep("clip 1", 400, () => (forgotten = true));
  sounds.answered("one", new Int16Array(500));
  assert.equal(forgotten, false);
  sounds.answered("two", new Int16Array(300));
  assert.equal(forgotten, true);
  sounds.answered("two", new Int16Array(1_500));
  assert.equal(sounds.pcmOf("one"), null);
  assert.equal(sounds.pcmOf("two")?.length, 1_800);
});

test("of the microphone no more is held than the longest turn needs", () => {
  const sounds = new TurnSounds();
  hear(sounds, 200_000);
  assert.ok(sounds.heardSamples <= 75_000 * 24 + FRAME);
});
