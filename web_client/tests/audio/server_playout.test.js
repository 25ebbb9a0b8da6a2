import assert from "node:assert/strict";
import { test } from "node:test";

import { ServerPlayout } from "../../audio/server_playout.js";
import { Conversation } from "../../conversation/conversation.js";
import { spokenLength } from "../../conversation/transcript_line.js";

const added = { type: "response.output_item.added", response_id: "r1", item: { id: "i1", type: "message", role: "assistant" } };
const of = (type) => ({ type: `output_audio_buffer.${type}`, response_id: "r1" });

test("what was heard goes with the clock from the server's start to its stop", () => {
  const playout = new ServerPlayout();
  assert.deepEqual(playout.receive(added, 0), []);
  assert.deepEqual(playout.tick(500), []);
  const told = [...playout.receive(of("started"), 1000), ...playout.tick(1250), ...playout.receive(of("stopped"), 1500), ...playout.tick(1600)];
  assert.deepEqual(told.map(({ kind, item, playedMs }) => [kind, item, playedMs]), [["started", "i1", 0], ["progress", "i1", 250], ["finished", "i1", 500]]);
});

test("an answer that was all made when it came here is known by what the server says of it", () => {
  const playout = new ServerPlayout();
  playout.receive({ type: "parlour.resumed", playing: [{ item_id: "i1", response_id: "r1", heard_ms: 4_000 }] }, 0);
  const told = [...playout.receive(of("started"), 1000), ...playout.receive(of("cleared"), 1500)];
  assert.deepEqual(told.map(({ kind }) => kind), ["started", "flushed"]);
});

test("the server cuts at its own place, and is sent neither a report nor a truncate", () => {
  const playout = new ServerPlayout();
  const talk = new Conversation();
  talk.serverPlays = true;
  const effects = [];
  const happen = (event, atMs) => {
    for (const report of playout.receive(event, atMs)) effects.push(...talk.played(report, atMs));
    effects.push(...talk.receive(event, atMs));
  };
  happen({ type: "response.created", response: { id: "r1" } }, 0);
  happen(added, 0);
  happen({ type: "response.output_audio_transcript.delta", response_id: "r1", item_id: "i1", delta: "One two three four" }, 0);
  happen({ type: "response.output_audio.done", response_id: "r1", item_id: "i1" }, 0);
  happen({ type: "parlour.alignment", item_id: "i1", audio_end_ms: 1800, text_end: 18 }, 0);
  happen(of("started"), 0);
  for (const report of playout.tick(900)) effects.push(...talk.played(report, 900));
  assert.equal(spokenLength(talk.lines[0]), 9, "not all of it, though all of it has been made");
  happen(of("cleared"), 1000);
  happen({ type: "parlour.heard", item_id: "i1", audio_end_ms: 900, transcript: "One two" }, 1010);
  happen({ type: "conversation.item.truncated", item_id: "i1", content_index: 0, audio_end_ms: 900 }, 1020);
  assert.equal(talk.lines[0].cutAt, 7);
  assert.equal(talk.playingItem, null);
  assert.deepEqual(effects.filter(({ kind }) => kind === "send"), []);
});

test("an answer that was stopped while it is heard is cleared on the server", () => {
  const talk = new Conversation();
  talk.serverPlays = true;
  talk.playingItem = "i1";
  const sent = talk.stop().filter(({ kind }) => kind === "send").map(({ event }) => event.type);
  assert.deepEqual(sent, ["output_audio_buffer.clear"]);
});
