// libwebrtc: URL QUESTION OPTIONS, of which are label, negotiated, bundlePolicy, videoFirst and directions: of the
// audio, a section for each, the microphone's to send.

import wrtc from '@roamhq/wrtc';
import { Call, question } from './call.mjs';

const FRAME_MS = 10; // which this binding wants
const FRAME_SAMPLES = 480;

const [url, file, given] = process.argv.slice(2);
const options = { label: 'oai-events', bundlePolicy: 'balanced', ...JSON.parse(given) };
const { pcm } = question(file);
const call = new Call(url);

const connection = new wrtc.RTCPeerConnection({ bundlePolicy: options.bundlePolicy });
const microphone = new wrtc.nonstandard.RTCAudioSource();
const track = microphone.createTrack();
if (options.videoFirst) connection.addTransceiver('video', { direction: 'recvonly' });
if (options.directions === undefined) connection.addTrack(track, new wrtc.MediaStream([track]));
for (const direction of options.directions ?? []) {
  connection.addTransceiver(direction === 'sendonly' ? track : 'audio', { direction });
}
connection.ontrack = (event) => {
  if (event.track.kind !== 'audio') return;
  const loudspeaker = new wrtc.nonstandard.RTCAudioSink(event.track);
  loudspeaker.ondata = ({ samples }) => call.heard(samples, FRAME_MS);
};
const negotiated = options.negotiated === undefined ? {} : { negotiated: true, id: options.negotiated };
const channel = connection.createDataChannel(options.label, negotiated);
channel.onmessage = ({ data }) => call.event(data);

const gathered = new Promise((resolve) => {
  connection.onicegatheringstatechange = () => { if (connection.iceGatheringState === 'complete') resolve(); };
});
const connected = new Promise((resolve) => {
  connection.onconnectionstatechange = () => { if (connection.connectionState === 'connected') resolve(); };
});
await connection.setLocalDescription(await connection.createOffer());
await gathered;
await connection.setRemoteDescription({ type: 'answer', sdp: await call.offer(connection.localDescription.sdp) });
await connected;
call.speak((number) => {
  const samples = new Int16Array(FRAME_SAMPLES);
  samples.set(pcm.subarray(number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES));
  microphone.onData({ samples, sampleRate: 48_000, bitsPerSample: 16, channelCount: 1, numberOfFrames: FRAME_SAMPLES });
}, FRAME_MS);
await call.turn();
