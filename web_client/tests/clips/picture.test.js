import assert from "node:assert/strict";
import { test } from "node:test";
import { Fft } from "../../clips/fft.js";
import { SOUND_HZ } from "../../clips/levels.js";
import { PEAKS_PER_S, peaksInColumns, peaksOf, spectrogramOf } from "../../clips/picture.js";
import { noise, sine, together } from "./sounds.js";

test("the transform agrees with the sum that defines it", () => {
  const fft = new Fft(64);
  const pcm = noise(10, 20_000);
  const power = new Float32Array(32);
  fft.power(pcm, 5, power);
  power.forEach((found, band) => {
    let [real, imaginary] = [0, 0];
    for (let at = 0; at < 64; at += 1) {
      const sample = (pcm[5 + at] / 32768) * (0.5 - 0.5 * Math.cos((2 * Math.PI * at) / 64));
      real += sample * Math.cos((2 * Math.PI * band * at) / 64);
      imaginary -= sample * Math.sin((2 * Math.PI * band * at) / 64);
    }
    assert.ok(Math.abs(found - (real ** 2 + imaginary ** 2) / 256) < 1e-6, `band ${band}`);
  });
});

test("a sine of full scale has power 1 in its band, and silence round a sound is silence", () => {
  const fft = new Fft(512);
  const power = new Float32Array(256);
  fft.power(sine(100, (SOUND_HZ / 512) * 40, 32767), 100, power);
  assert.ok(Math.abs(power[40] - 1) < 0.01, `${power[40]}`);
  assert.ok(power[80] < 1e-6);
  fft.power(sine(1, 1_000, 32767), -10_000, power);
  assert.equal(Math.max(...power), 0);
});

test("a higher tone lies in a higher row, in the columns where it is heard", () => {
  const pcm = together(sine(500, 400, 10_000), sine(500, 4_000, 10_000));
  const { columns, rows, values } = spectrogramOf(pcm, 20, 32);
  const loudestRow = (/** @type {number} */ column) => {
    const shown = [...values.subarray(column * rows, (column + 1) * rows)];
    return shown.indexOf(Math.max(...shown));
  };
  assert.equal(columns, 20);
  assert.ok(loudestRow(4) < 10, `${loudestRow(4)}`);
  assert.ok(loudestRow(15) > 17, `${loudestRow(15)}`);
});

test("a waveform keeps each peak, however few columns it gets", () => {
  const pcm = new Int16Array(SOUND_HZ);
  pcm[1_000] = 32_767;
  pcm[20_000] = -32_768;
  const peaks = peaksOf(pcm);
  assert.equal(peaks.length, 2 * PEAKS_PER_S);
  const drawn = peaksInColumns(peaks, 10);
  assert.equal(drawn[1], 127);
  assert.equal(drawn[2 * 8], -128);
  assert.deepEqual([...peaksInColumns(peaksOf(new Int16Array(60)), 3)], [0, 0, 0, 0, 0, 0]);
});
