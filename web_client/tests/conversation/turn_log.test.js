import assert from "node:assert/strict";
import { test } from "node:test";

import { TurnLog, mergeTurns } from "../../conversation/turn_log.js";

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

test("a second event about a turn fills up the first", () => {
  const first = { response_id: "r", decision_ms: 5, first_token_ms: 6, first_audio_ms: 7, first_heard_ms: null, stages: { prefill: 1 } };
  const second = { ...first, decision_ms: null, first_heard_ms: 9, stages: { decode: 2 } };
  const merged = mergeTurns(mergeTurns(undefined, first), second);
  assert.equal(merged.decision_ms, 5);
  assert.equal(merged.first_heard_ms, 9);
  assert.deepEqual(merged.stages, { prefill: 1, decode: 2 });
});
