// What all peers share: the question that they ask, and what they saw of the answer.

import { readFileSync } from 'node:fs';
import OpusScript from 'opusscript';

const FRAME_MS = 20;
const LOUD = 1_000;
const HEARD_ENOUGH_MS = 1_500;
const WITHIN_MS = 30_000;

/** The question as the test has written it: packets of 20 ms in Opus or G.711, and 16-bit PCM at 48 kHz. */
export function question(path) {
  const { packets, pcm } = JSON.parse(readFileSync(path, 'utf8'));
  const bytes = Buffer.from(pcm, 'base64');
  return {
    packets: packets.map((one) => Buffer.from(one, 'base64')),
    pcm: new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
  };
}

export class Call {
  constructor(url) {
    this.url = url;
    this.seen = { events: [], errors: [], heard_ms: 0, refused: '' };
    this.decoder = new OpusScript(48_000, 1);
  }

  event(text) {
    const event = JSON.parse(text.toString());
    this.seen.events.push(event.type);
    if (event.type === 'error') this.seen.errors.push(event.error.code);
  }

  /** samples: 16 bits; ms: how long they last. */
  heard(samples, ms) {
    if (samples.some((sample) => Math.abs(sample) > LOUD)) this.seen.heard_ms += ms;
  }

  heardOpus(payload) {
    const pcm = this.decoder.decode(payload);
    this.heard(new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2), FRAME_MS);
  }

  heardMulaw(payload) {
    this.heard(Array.from(payload, expandMulaw), payload.length / 8);
  }

  /** The answer, or an end: a refused call is what the test wants to see. */
  async offer(sdp) {
    const response = await fetch(this.url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: sdp });
    const text = await response.text();
    if (response.status !== 201) {
      this.seen.refused = text;
      this.tell();
    }
    return text;
  }

  /** Call `send(number)` every `ms` from now on. */
  speak(send, ms = FRAME_MS) {
    const began = performance.now();
    let number = 0;
    setInterval(() => {
      while (began + number * ms <= performance.now()) send(number++);
    }, 5);
  }

  /** Until there was a whole turn, or time is up. */
  async turn() {
    const ends = performance.now() + WITHIN_MS;
    while (performance.now() < ends) {
      if (this.seen.events.includes('response.done') && this.seen.heard_ms >= HEARD_ENOUGH_MS) break;
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    this.tell();
  }

  tell() {
    process.stdout.write(`${JSON.stringify(this.seen)}\n`, () => process.exit(0));
  }
}

/** An RTP packet (RFC 3550 5.1). */
export function rtp(payload, number, { payloadType, samples, ssrc }) {
  const head = Buffer.alloc(12);
  head[0] = 0x80;
  head[1] = payloadType;
  head.writeUInt16BE((40_000 + number) & 0xffff, 2);
  head.writeUInt32BE((number * samples) >>> 0, 4);
  head.writeUInt32BE(ssrc, 8);
  return Buffer.concat([head, payload]);
}

function expandMulaw(code) {
  const inverted = ~code & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 7)) - 0x84;
  return inverted & 0x80 ? -magnitude : magnitude;
}
