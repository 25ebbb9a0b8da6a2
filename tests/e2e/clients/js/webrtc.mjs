// The stock @openai/agents-realtime over WebRTC, in a browser: a spoken turn with a barge-in, a tool call.
// The microphone hears a question, and a second one into the answer (window.say).
// Sets window.seen to what the client saw; who opened the page judges.

import { OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession, tool } from '/bundle/openai-realtime-agents.mjs';

const { gateway, key, speech, hangs_ms: HANGS_MS } = window.settings;
const HEARD_MS = 1_000; // of the answer before it is interrupted

class Call {
  constructor(agent) {
    this.transport = new OpenAIRealtimeWebRTC({ baseUrl: `${gateway}/v1/realtime/calls`, useInsecureApiKey: !key.startsWith('ek_') });
    this.session = new RealtimeSession(agent, { transport: this.transport, model: 'scripted' });
    this.seen = { types: [], responses: [], errors: [], tools: [], events: [] };
    this.session.on('error', (event) => this.seen.errors.push(JSON.stringify(event)));
    this.session.on('agent_tool_end', (_context, _agent, called, result) => this.seen.tools.push([called.name, result]));
    this.transport.on('*', (event) => {
      this.seen.types.push(event.type);
      this.seen.events.push(event);
      if (event.type === 'response.done') this.seen.responses.push(event.response.status);
      if (event.type === 'conversation.item.truncated') this.seen.truncated = event.audio_end_ms;
    });
  }

  async until(what, fits) {
    const ends = performance.now() + HANGS_MS;
    while (!fits()) {
      if (performance.now() > ends) throw new Error(`${what}: did not happen: ${JSON.stringify({ ...this.seen, events: [] })}`);
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  }

  history() {
    return this.session.history
      .filter((item) => item.type === 'message')
      .map((item) => ({ role: item.role, status: item.status, words: item.content.map((part) => part.transcript ?? part.text ?? null).join('') }));
  }
}

async function calling(agent, act) {
  const call = new Call(agent);
  await call.session.connect({ apiKey: key });
  try {
    await act(call);
    return { ...call.seen, history: call.history() };
  } finally {
    call.session.close();
  }
}

const spoken = () => calling(new RealtimeAgent({ name: 'plain', instructions: 'Recite.' }), async (call) => {
  await window.say(speech.cards_001);
  await call.until('an answer aloud', () => call.seen.types.includes('output_audio_buffer.started'));
  await new Promise((resolve) => { setTimeout(resolve, HEARD_MS); });
  await window.say(speech.something);
  await call.until('a barge-in', () => call.seen.types.includes('output_audio_buffer.cleared'));
  await call.until('what was heard of it', () => call.seen.types.includes('conversation.item.retrieved') && call.seen.truncated !== undefined);
  await call.until('the second answer', () => call.seen.types.filter((type) => type === 'response.created').length === 2);
});

const toolCall = () => {
  const weather = tool({
    name: 'weather',
    description: 'The weather.',
    parameters: { type: 'object', properties: {}, required: [], additionalProperties: false },
    execute: async () => 'rain all day',
  });
  return calling(new RealtimeAgent({ name: 'weather', instructions: 'Tell it.', tools: [weather] }), async (call) => {
    call.session.mute(true);
    call.session.sendMessage('Will it rain?');
    await call.until('a spoken answer', () => call.history().some((item) => item.role === 'assistant' && item.status === 'completed'));
    await call.until('its end', () => call.seen.types.includes('output_audio_buffer.stopped'));
  });
};

try {
  window.seen = { spoken: await spoken(), tool_call: await toolCall() };
} catch (error) {
  window.seen = { failed: String(error.stack ?? error) };
}
