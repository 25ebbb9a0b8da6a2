import assert from "node:assert/strict";
import { test } from "node:test";
import { sendNext } from "../../conversation/asking.js";
import { Conversation } from "../../conversation/conversation.js";
import { ITEM_CHARS_MAX, Pace, itemsOf } from "../../conversation/question.js";

/** @param {string} name @param {string[]} parts @param {number} lengthMs */
const clip = (name, parts, lengthMs = 1_000) => ({ name, parts, lengthMs });
const contents = (/** @type {import("../../conversation/question.js").PlannedItem[]} */ items) =>
  items.map(({ item }) => item.content.map((/** @type {any} */ part) => part.audio?.length ?? part.text));

/** Take all that is sent as a server does; return what was sent. @param {Conversation} conversation @param {any[]} effects */
function deliver(conversation, effects) {
  const sent = [];
  const todo = [...effects];
  while (todo.length > 0) {
    const effect = todo.shift();
    if (effect.kind === "upload") todo.unshift(...sendNext(conversation));
    if (effect.kind !== "send") continue;
    sent.push(effect.event);
    const { item } = effect.event;
    if (item) todo.push(...conversation.receive({ type: "conversation.item.added", item }, 0));
  }
  return sent;
}

test("clips that fit into one event are one item with their question, in order", () => {
  const [only, ...others] = itemsOf({ text: "Which is louder?", clips: [clip("a", ["AAAA"]), clip("b", ["BBBBBB"])] }, "q");
  assert.deepEqual(others, []);
  assert.equal(only.item.id, "q");
  assert.deepEqual(contents([only]), [[4, 6, "Which is louder?"]]);
});

test("what is longer becomes several items, of which only a single piece is longer than an event", () => {
  const long = "A".repeat(1_900_000);
  const items = itemsOf({ text: "What?", clips: [clip("a", ["AAAA"]), clip("b", [long, long]), clip("c", ["AA", "AAA"])] }, "q");
  assert.deepEqual(contents(items), [[4], [1_900_000], [1_900_000], [2, 3, "What?"]]);
  assert.equal(new Set(items.map(({ item }) => item.id)).size, 4);
  assert.equal(items[3].item.id, "q");
  assert.ok(items.every(({ item }) => item.content.length === 1 || JSON.stringify(item).length < ITEM_CHARS_MAX));
});

test("each item waits for the one before, and the answer is asked for after the last", () => {
  const conversation = new Conversation();
  const long = "A".repeat(1_900_000);
  const effects = conversation.asked({ text: "What?", clips: [clip("a", [long, long])] }, "q", 0);
  assert.deepEqual(effects, [{ kind: "upload" }]);
  const [first] = sendNext(conversation);
  assert.deepEqual(sendNext(conversation), [], "the first is not taken yet");
  assert.equal(conversation.activity(0), "thinking");
  const next = conversation.receive({ type: "conversation.item.added", item: /** @type {any} */ (first).event.item }, 0);
  const sent = deliver(conversation, next);
  assert.deepEqual(sent.map(({ type }) => type), ["conversation.item.create", "response.create"]);
  assert.equal(sent[0].item.id, "q");
  assert.equal(conversation.lines.length, 1);
});

test("what is written while a clip is on its way is asked after it", () => {
  const conversation = new Conversation();
  const effects = conversation.asked({ text: "What?", clips: [clip("a", ["AAAA"])] }, "q", 0);
  assert.deepEqual(conversation.typed("And who?", "t", 0), []);
  const sent = deliver(conversation, effects);
  assert.deepEqual(sent.map(({ type, item }) => item?.id ?? type), ["q", "response.create", "t"]);
});

test("clips without a text are put into the conversation, and nothing is answered yet", () => {
  const conversation = new Conversation();
  const sent = deliver(conversation, conversation.asked({ text: "", clips: [clip("a", ["AAAA"])] }, "q", 0));
  assert.deepEqual(sent.map(({ type }) => type), ["conversation.item.create"]);
  assert.equal(conversation.activity(0), "listening");
});

test("the words of a clip go to the clip, and never into the question", () => {
  const conversation = new Conversation();
  deliver(conversation, conversation.asked({ text: "What?", clips: [clip("a", ["A".repeat(1_900_000), "AAAA"])] }, "q", 0));
  const completed = { type: "conversation.item.input_audio_transcription.completed", content_index: 0 };
  conversation.receive({ ...completed, item_id: "q", transcript: " world " }, 0);
  conversation.receive({ ...completed, item_id: "q_0", transcript: "Hello" }, 0);
  assert.equal(conversation.lines[0].text, "What?");
  assert.deepEqual(conversation.lines[0].clips[0].words, ["Hello", "world"]);
});

test("an item that the server refuses ends its question, and says why", () => {
  const conversation = new Conversation();
  conversation.asked({ text: "What?", clips: [clip("a", ["A".repeat(1_900_000), "A".repeat(1_900_000)])] }, "q", 0);
  sendNext(conversation);
  const error = { event_id: "ask_q_0.c1_7", code: "event_too_large", message: "The event is too long." };
  const effects = conversation.receive({ type: "error", error }, 0);
  assert.deepEqual(effects, [{ kind: "notice", text: "The server does not take it: The event is too long." }]);
  assert.deepEqual(sendNext(conversation), []);
  assert.equal(conversation.lines[0].failure, "The event is too long.");
  assert.equal(conversation.activity(0), "listening");
});

test("Stop ends what is on its way", () => {
  const conversation = new Conversation();
  conversation.asked({ text: "What?", clips: [clip("a", ["AAAA"])] }, "q", 0);
  assert.ok(conversation.answering(0));
  conversation.stop();
  assert.deepEqual(sendNext(conversation), []);
  assert.equal(conversation.answering(0), false);
});

test("a new session hears the clips again; of those that no session holds any more, it reads the words", () => {
  const conversation = new Conversation();
  deliver(conversation, conversation.asked({ text: "Old?", clips: [clip("old", ["AAAA"], 300_000)] }, "old", 0));
  conversation.receive({ type: "conversation.item.input_audio_transcription.completed", item_id: "old", content_index: 0, transcript: "Long ago" }, 0);
  deliver(conversation, conversation.asked({ text: "Long?", clips: [clip("long", ["LLLL"], 340_000)] }, "long", 0));
  deliver(conversation, conversation.asked({ text: "New?", clips: [clip("new", ["NNNN"], 1_000)] }, "new", 0));
  conversation.disconnected();
  const told = conversation.history().map(({ item }) => item.content.map((/** @type {any} */ part) => part.audio ?? part.transcript ?? part.text));
  assert.deepEqual(told, [["Long ago", "Old?"], ["LLLL", "Long?"], ["NNNN", "New?"]]);
});

test("large events are spread out as the server wants them, small ones wait for nothing", () => {
  const pace = new Pace(0);
  let [now, sent] = [0, 0];
  for (; sent < 40 * 2 ** 20; sent += 2 ** 21) {
    for (let wait = pace.waitMs(2 ** 21, now); wait > 0; wait = pace.waitMs(2 ** 21, now)) now += wait;
  }
  const costOfAll = sent / 2 ** 14; // realtime/session/flood.py counts an event for each 16 KiB
  assert.ok(costOfAll < 2_000 + (now / 1000) * 100, "the server would have ended the session");
  assert.ok(now < 25_000, `${now}`);
  assert.equal(new Pace(0).waitMs(1_000, 0), 0);
});
