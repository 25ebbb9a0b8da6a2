import assert from "node:assert/strict";
import { test } from "node:test";
import { SOUND_HZ, levelsOf, pausesBetween, soundsIn } from "../../clips/levels.js";
import { noise, together } from "./sounds.js";

const close = (/** @type {number} */ one, /** @type {number} */ other) => assert.ok(Math.abs(one - other) <= 20, `${one} and ${other}`);

test("sounds and the pause between them are found, in a quiet room and in a noisy one", () => {
  for (const background of [0, 300]) {
    const pcm = together(noise(500, background), noise(700, 8_000), noise(400, background), noise(600, 8_000), noise(300, background));
    const sounds = soundsIn(levelsOf(pcm));
    assert.equal(sounds.length, 2);
    [500, 1_200].forEach((at, index) => close([sounds[0].startMs, sounds[0].endMs][index], at));
    const [pause] = pausesBetween(sounds);
    close(pause.startMs, 1_200);
    close(pause.endMs, 1_600);
  }
});

test("a gap that is shorter than a pause parts nothing, and a click is no sound", () => {
  const pcm = together(noise(500, 0), noise(400, 8_000), noise(150, 0), noise(400, 8_000), noise(900, 0), noise(20, 20_000), noise(300, 0));
  const sounds = soundsIn(levelsOf(pcm));
  assert.equal(sounds.length, 1);
  close(sounds[0].endMs, 1_450);
});

test("digital silence round a recording does not make its background a sound", () => {
  const pcm = together(noise(800, 0), noise(500, 60), noise(500, 8_000), noise(500, 60), noise(3_000, 0));
  const [sound, ...others] = soundsIn(levelsOf(pcm));
  assert.deepEqual(others, []);
  close(sound.startMs, 1_300);
  close(sound.endMs, 1_800);
});

test("a steady sound is sound all through, and silence is none", () => {
  assert.deepEqual(soundsIn(levelsOf(noise(1_000, 5_000))), [{ startMs: 0, endMs: 1_000 }]);
  assert.deepEqual(soundsIn(levelsOf(new Int16Array(SOUND_HZ))), []);
  assert.deepEqual(soundsIn(levelsOf(new Int16Array(0))), []);
});

test("levels are in dB of full scale, also of a frame that is cut short", () => {
  const levels = levelsOf(new Int16Array(250).fill(-32768));
  assert.equal(levels.length, 2);
  for (const level of levels) assert.ok(Math.abs(level) < 0.001);
});
