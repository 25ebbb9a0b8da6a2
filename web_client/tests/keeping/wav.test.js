import assert from "node:assert/strict";
import { test } from "node:test";
import { wavOf } from "../../keeping/wav.js";

test("turns become one WAV file that says its own length, with half a second between them", async () => {
  const file = new DataView(await new Blob(/** @type {any} */ (wavOf([Int16Array.of(1, -2), Int16Array.of(3)]))).arrayBuffer());
  const text = (/** @type {number} */ at) => String.fromCharCode(...[0, 1, 2, 3].map((index) => file.getUint8(at + index)));
  assert.deepEqual([text(0), text(8), text(12), text(36)], ["RIFF", "WAVE", "fmt ", "data"]);
  assert.equal(file.getUint32(4, true), file.byteLength - 8);
  assert.equal(file.getUint32(24, true), 24_000);
  assert.equal(file.getUint32(40, true), 2 * (2 + 12_000 + 1));
  assert.deepEqual([file.getInt16(44, true), file.getInt16(46, true), file.getInt16(48 + 24_000, true)], [1, -2, 3]);
});
