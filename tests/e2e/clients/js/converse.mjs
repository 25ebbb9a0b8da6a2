// The stock @openai/agents-realtime over a WebSocket: a spoken turn, a barge-in, a tool call.
// node converse.mjs ws://HOST:PORT QUESTION.pcm SECONDS, the PCM s16le mono at 24 kHz; who waits longer than that hangs.
// Prints one JSON object of what the client saw; who runs it judges.

import { readFileSync } from 'node:fs';
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';
import { z } from 'zod';

const [gateway, questionPath, hangsS] = process.argv.slice(2);
const question = readFileSync(questionPath);
const HANGS_MS = 1000 * hangsS;
const CHUNK_BYTES = 4_800; // 100 ms
const SILENCE = Buffer.alloc(8 * 48_000); // the client may ask for semantic_vad, which can wait

class Conversation {
  constructor(agent) {
    this.url = `${gateway}/v1/realtime?model=scripted`;
    this.transport = new OpenAIRealtimeWebSocket({ url: this.url, useInsecureApiKey: true });
    this.session = new RealtimeSession(agent, { transport: this.transport, model: 'scripted' });
    this.seen = { audioBytes: 0, interrupted: 0, responses: [], errors: [], tools: [] };
    this.waiting = [];
    this.session.on('audio', (event) => { this.seen.audioBytes += event.data.byteLength; this.wake(); });
    this.session.on('audio_interrupted', () => { this.seen.interrupted += 1; this.wake(); });
    this.session.on('error', (event) => { this.seen.errors.push(String(event.error?.error?.message ?? JSON.stringify(event))); this.wake(); });
    this.session.on('history_updated', () => this.wake());
    this.session.on('agent_tool_end', (_context, _agent, called, result) => { this.seen.tools.push([called.name, result]); this.wake(); });
    this.transport.on('*', (event) => {
      if (event.type === 'response.done') this.seen.responses.push(event.response.status);
      if (event.type === 'conversation.item.retrieved') this.seen.retrieved = event.item.content[0].transcript;
      this.wake();
    });
  }

  wake() {
    this.waiting = this.waiting.filter((one) => !one());
  }

  /** Resolves once fits() is true, which is asked after every event. */
  until(what, fits) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${what}: did not happen: ${JSON.stringify(this.shown())}`)), HANGS_MS);
      this.waiting.push(() => {
        if (!fits()) return false;
        clearTimeout(timer);
        resolve();
        return true;
      });
      this.wake();
    });
  }

  say(pcm) {
    for (let at = 0; at < pcm.length; at += CHUNK_BYTES) {
      this.session.sendAudio(new Uint8Array(pcm.subarray(at, at + CHUNK_BYTES)).buffer);
    }
  }

  history() {
    return this.session.history
      .filter((item) => item.type === 'message')
      .map((item) => ({ role: item.role, status: item.status, words: item.content.map((part) => part.transcript ?? part.text ?? null).join('') }));
  }

  shown() {
    return { ...this.seen, history: this.history() };
  }
}

async function converse(agent, act) {
  const conversation = new Conversation(agent);
  await conversation.session.connect({ apiKey: 'none', url: conversation.url });
  try {
    await act(conversation);
    return conversation.shown();
  } finally {
    conversation.session.close();
  }
}

const plain = () => new RealtimeAgent({ name: 'plain', instructions: 'Recite.' });

const spoken = () => converse(plain(), async (talk) => {
  talk.say(Buffer.concat([question, SILENCE]));
  await talk.until('an answer', () => talk.seen.responses.length === 1 && talk.history().length === 2 && talk.history()[0].words);
});

const bargeIn = () => converse(plain(), async (talk) => {
  talk.session.sendMessage('Please recite.');
  // The gateway is 4 s ahead of the ear: when more than that has come, 0.6 s have been heard.
  await talk.until('some sound', () => talk.seen.audioBytes > 48_000 * 4.6);
  talk.say(question.subarray(0, 48 * 1_500)); // speech that is not over
  await talk.until('an end', () => talk.seen.responses.includes('cancelled') && talk.seen.interrupted > 0);
  const remembered = () => talk.history().find((item) => item.role === 'assistant').words;
  await talk.until('what was heard of it', () => talk.seen.retrieved !== undefined && remembered() === talk.seen.retrieved);
});

const toolCall = () => {
  const weather = tool({
    name: 'weather',
    description: 'The weather of a place.',
    parameters: z.object({ place: z.string(), days: z.number().int() }),
    execute: async () => 'rain all day',
  });
  const agent = new RealtimeAgent({ name: 'weather', instructions: 'Tell the weather.', tools: [weather] });
  return converse(agent, async (talk) => {
    talk.session.sendMessage('Will it rain?');
    await talk.until('an answer', () => talk.history().some((item) => item.role === 'assistant' && item.status === 'completed'));
  });
};

console.log(JSON.stringify({ spoken: await spoken(), barge_in: await bargeIn(), tool_call: await toolCall() }));
process.exit(0);
