// werift: URL QUESTION OPTIONS, of which are label, bundlePolicy and video (a section for it).

import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpPacket } from 'werift';
import { Call, question, rtp } from './call.mjs';

const [url, file, given] = process.argv.slice(2);
const options = { label: 'oai-events', bundlePolicy: 'max-bundle', ...JSON.parse(given) };
const { packets } = question(file);
const call = new Call(url);

const opus = new RTCRtpCodecParameters({ mimeType: 'audio/opus', clockRate: 48_000, channels: 2, payloadType: 111 });
const vp8 = new RTCRtpCodecParameters({ mimeType: 'video/VP8', clockRate: 90_000, payloadType: 96 });
const connection = new RTCPeerConnection({
  codecs: { audio: [opus], video: [vp8] },
  iceServers: [],
  iceUseIpv6: false,
  bundlePolicy: options.bundlePolicy,
});
const microphone = new MediaStreamTrack({ kind: 'audio' });
const transceiver = connection.addTransceiver(microphone, { direction: 'sendrecv' });
transceiver.onTrack.subscribe((track) => track.onReceiveRtp.subscribe((packet) => call.heardOpus(packet.payload)));
if (options.video) connection.addTransceiver('video', { direction: 'recvonly' });
connection.createDataChannel(options.label).onMessage.subscribe((text) => call.event(text));

const connected = connection.connectionStateChange.watch((state) => state === 'connected');
const gathered = connection.iceGatheringStateChange.watch((state) => state === 'complete');
await connection.setLocalDescription(await connection.createOffer());
if (connection.iceGatheringState !== 'complete') await gathered;
await connection.setRemoteDescription({ type: 'answer', sdp: await call.offer(connection.localDescription.sdp) });
await connected;
call.speak((number) => {
  const packet = rtp(packets[number] ?? packets[0], number, { payloadType: 111, samples: 960, ssrc: 1001 });
  microphone.writeRtp(RtpPacket.deSerialize(packet));
});
await call.turn();
