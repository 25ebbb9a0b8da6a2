import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { RESEND_EVENTS_MAX, RESEND_MS, Resumption } from "../../connection/resumption.js";
import { decodePcm } from "../../conversation/base64.js";

const append = { type: "input_audio_buffer.append", audio: "" };
const token = (text) => ({ type: "parlour.resume_token", event_id: "e1", token: text, grace_s: 60 });
const resumed = (last) => ({ type: "parlour.resumed", event_id: "x1", token: "rt_2", grace_s: 60, last_client_event_id: last });
const ids = (events) => events.map((event) => event.event_id);
let resumption = new Resumption("c");

beforeEach(() => {
  resumption = new Resumption("c");
});

test("what the server has is not sent again, the rest is, in order and with the same ids", () => {
  for (let at = 0; at < 4; at += 1) resumption.prepare(append, at);
  resumption.received(token("rt_1"));
  assert.deepEqual(ids(resumption.resumed(resumed("c_2"))), ["c_3", "c_4"]);
  assert.equal(resumption.token, "rt_2");
});

test("a server that has nothing of this page, or nothing that is still kept, gets all that is kept", () => {
  resumption.prepare(append, 0);
  resumption.prepare(append, RESEND_MS + 1);
  assert.deepEqual(ids(resumption.resumed(resumed("c_1"))), ["c_2"]);
  assert.deepEqual(ids(resumption.resumed(resumed(null))), ["c_2"]);
});

const spoken = (sample) => new Int16Array([sample]);
const samples = (events) => events.map(({ audio }) => audio && new Int16Array(decodePcm(audio).buffer)[0]);
const heardAgo = (ms, last = null) => ({ ...resumed(last), input_silent_ms: ms });

test("speech that a call carried into nothing is sent, in its place among the events, and once", () => {
  resumption.received(token("rt_1"));
  for (let at = 0; at < 1_000; at += 100) resumption.frameSent(spoken(at), at);
  resumption.prepare({ type: "session.update" }, 650);
  resumption.prepare(append, 1_050);
  // Asked for at 2,000, and nothing was heard for 1,450 ms: the last that was is of 550, and a breath is under way.
  const missed = resumption.resumed(heardAgo(1_450), 2_000);
  assert.deepEqual(samples(missed), [600, undefined, 700, 800, 900, ""]);
  assert.equal(new Set(ids(missed)).size, 6);
  assert.deepEqual(resumption.resumed(heardAgo(9_000, ids(missed)[2]), 3_000), missed.slice(3), "as events from then on");
});

test("of a call from which nothing was ever heard, all that is kept is sent, and that is half a minute", () => {
  resumption.frameSent(spoken(1), 0);
  resumption.frameSent(spoken(2), RESEND_MS + 1);
  assert.deepEqual(samples(resumption.resumed(heardAgo(null), RESEND_MS + 2)), [2]);
  resumption.frameSent(spoken(3), 0);
  resumption.reset();
  assert.deepEqual(resumption.resumed(heardAgo(null), 1), []);
});

test("a session that is gone for good leaves the speech that nobody has heard, however it was carried", () => {
  for (const at of [100, 300, 500]) resumption.frameSent(spoken(at), at);
  resumption.prepare(append, 400);
  resumption.prepare({ type: "response.create" }, 450);
  assert.deepEqual(samples(resumption.speechSince(300)), [300, "", 500]);
});

test("no more is kept than has its place", () => {
  for (let at = 0; at < RESEND_EVENTS_MAX + 10; at += 1) resumption.prepare(append, 0);
  assert.equal(resumption.resendEvents.length, RESEND_EVENTS_MAX);
  assert.equal(resumption.resendEvents[0].event.event_id, "c_11");
});

test("the last event is asked for, but one that stands outside the order never is", () => {
  resumption.received(token("rt_1"));
  resumption.resumed(resumed(null));
  assert.equal(resumption.request().last_event_id, "e1");
  resumption.reset();
  assert.equal("last_event_id" in resumption.request(), false);
});

test("an id that says what the event is for keeps saying so", () => {
  assert.equal(resumption.prepare({ type: "session.update", event_id: "parlour_extensions" }, 0).event_id, "parlour_extensions.c_1");
});
