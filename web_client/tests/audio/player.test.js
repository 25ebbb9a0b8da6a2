import assert from "node:assert/strict";
import { test } from "node:test";

import { CAPACITY_MS, FADE_MS, LEAD_MS, Player } from "../../audio/player.js";
import { Resampler } from "../../audio/resampler.js";
import { RingBuffer } from "../../audio/ring_buffer.js";

const pcm = (ms, value = 8000) => new Int16Array(ms * 24).fill(value);
const block = () => new Float32Array(128);

/** Render for so many ms; returns the events and the sound. */
function run(player, ms) {
  const events = [];
  const sound = [];
  for (let done = 0; done < (ms * player.deviceHz) / 1000; done += 128) {
    const output = block();
    events.push(...player.render(output));
    sound.push(...output);
  }
  return { events, sound };
}

test("the ring gives back what it took, across its edge, and refuses what does not fit", () => {
  const ring = new RingBuffer(5);
  assert.equal(ring.write(Int16Array.of(1, 2, 3)), 3);
  assert.equal(ring.take(new Float32Array(2)), 2);
  assert.equal(ring.write(Int16Array.of(4, 5, 6, 7, 8)), 4);
  const rest = new Float32Array(8);
  assert.equal(ring.take(rest), 5);
  assert.deepEqual([...rest.slice(0, 5)].map((value) => value * 32768), [3, 4, 5, 6, 7]);
  ring.write(Int16Array.of(9));
  ring.clear();
  assert.equal(ring.available, 0);
});

for (const deviceHz of [24_000, 44_100, 48_000, 16_000]) {
  test(`what was heard of each item is counted in its own ms at ${deviceHz} Hz`, () => {
    const player = new Player(deviceHz);
    player.push("a", pcm(300));
    player.end("a");
    player.push("b", pcm(200));
    player.end("b");
    const { events } = run(player, 700);
    const kinds = events.filter(({ kind }) => kind !== "progress").map(({ kind, item }) => `${kind} ${item}`);
    assert.deepEqual(kinds, ["started a", "finished a", "started b", "finished b"]);
    const finished = Object.fromEntries(events.filter(({ kind }) => kind === "finished").map((e) => [e.item, e.playedMs]));
    assert.deepEqual(finished, { a: 300, b: 200 });
    const progress = events.filter(({ kind, item }) => kind === "progress" && item === "a").map(({ playedMs }) => playedMs);
    assert.ok(progress.length >= 10 && progress.every((value, at) => at === 0 || value > progress[at - 1]));
    assert.equal(player.underruns, 0);
    assert.equal(player.isPlaying, false);
  });
}

test("nothing sounds before the lead is there, and a short item that has ended needs none", () => {
  const player = new Player(48_000);
  player.push("a", pcm(LEAD_MS - 20));
  assert.ok(run(player, 20).sound.every((value) => value === 0));
  player.end("a");
  assert.ok(run(player, 20).sound.some((value) => value !== 0));
});

test("an item that comes too slowly is an underrun, and the next lead is longer", () => {
  const player = new Player(48_000);
  player.push("a", pcm(100));
  run(player, 300);
  assert.equal(player.underruns, 1);
  assert.equal(player.leadMs, 2 * LEAD_MS);
  player.push("a", pcm(200));
  player.end("a");
  const { events } = run(player, 600);
  assert.equal(events.find(({ kind }) => kind === "finished").playedMs, 300);
  assert.equal(player.underruns, 1, "the end of an item is no underrun");
});

test("an item whose end nobody told is over when the next one sounds", () => {
  const player = new Player(48_000);
  player.push("a", pcm(100));
  player.push("b", pcm(100));
  player.end("b");
  const { events } = run(player, 300);
  assert.deepEqual(events.filter(({ kind }) => kind === "finished").map(({ item }) => item), ["a", "b"]);
});

test("a flush is silent within its fade, without a step, and tells what was heard", () => {
  const player = new Player(24_000);
  player.push("a", pcm(500, 16_000));
  player.push("b", pcm(500));
  const before = run(player, 200);
  player.flush();
  const { events, sound } = run(player, 50);
  const flushed = events.find(({ kind }) => kind === "flushed");
  const heardMs = before.sound.length / 24;
  assert.deepEqual(flushed.items.map(({ item }) => item), ["a", "b"]);
  assert.ok(Math.abs(flushed.items[0].playedMs - heardMs - FADE_MS) <= 2);
  assert.equal(flushed.items[1].playedMs, 0);
  const whole = [before.sound.at(-1), ...sound];
  const steps = whole.slice(1).map((value, at) => Math.abs(value - whole[at]));
  assert.ok(Math.max(...steps) < 0.02, "no click");
  assert.ok(sound.slice((FADE_MS + 2) * 24).every((value) => value === 0));
  assert.equal(player.isPlaying, false);
});

test("a flush where nothing plays answers at once, and what comes after it is played", () => {
  const player = new Player(48_000);
  player.flush();
  player.push("b", pcm(100));
  player.end("b");
  const { events } = run(player, 300);
  assert.deepEqual(events[0], { kind: "flushed", items: [], underruns: 0 });
  assert.equal(events.find(({ kind }) => kind === "finished").playedMs, 100);
});

test("reports wait for the way to the loudspeaker, but a flush does not", () => {
  const player = new Player(48_000);
  player.latencyFrames = 4800; // 100 ms
  player.push("a", pcm(1000));
  assert.equal(run(player, 90).events.length, 0);
  assert.equal(run(player, 40).events[0].kind, "started");
  player.flush();
  const { events } = run(player, 20);
  assert.equal(events.at(-1).kind, "flushed");
  assert.ok(events.at(-1).items[0].playedMs >= 125);
});

test("sound beyond the capacity is refused and counted", () => {
  const player = new Player(48_000);
  player.push("a", pcm(CAPACITY_MS));
  player.push("a", pcm(10));
  assert.equal(player.refusedSamples, 240);
});

for (const [from, to] of [[48_000, 24_000], [44_100, 24_000], [24_000, 44_100], [16_000, 24_000], [24_000, 24_000]]) {
  test(`a tone survives the way from ${from} to ${to} Hz`, () => {
    const resampler = new Resampler(from, to);
    const input = Float32Array.from({ length: from }, (_, at) => Math.sin((2 * Math.PI * 1000 * at) / from));
    const output = [];
    for (let at = 0; at < input.length; at += 128) {
      const piece = input.subarray(at, at + 128);
      const room = new Float32Array(resampler.most(piece.length));
      output.push(...room.subarray(0, resampler.process(piece, room)));
    }
    assert.ok(Math.abs(output.length - to) <= 2, `${output.length} samples`);
    const middle = output.slice(to / 4, (to * 3) / 4);
    const level = Math.sqrt(middle.reduce((sum, value) => sum + value * value, 0) / middle.length);
    assert.ok(Math.abs(level - Math.SQRT1_2) < 0.01, `level ${level}`);
    const crossings = middle.filter((value, at) => at > 0 && value >= 0 && middle[at - 1] < 0).length;
    assert.ok(Math.abs(crossings - 500) <= 1, `${crossings} periods in half a second`);
  });
}

test("what the lower rate cannot hold is filtered out, not folded back", () => {
  const resampler = new Resampler(48_000, 24_000);
  const input = Float32Array.from({ length: 9600 }, (_, at) => Math.sin((2 * Math.PI * 16_000 * at) / 48_000));
  const output = new Float32Array(resampler.most(input.length));
  const count = resampler.process(input, output);
  assert.ok(Math.max(...output.subarray(200, count - 200).map(Math.abs)) < 0.01);
});
