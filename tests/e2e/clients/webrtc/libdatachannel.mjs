// libdatachannel: URL QUESTION OPTIONS, of which are label, negotiated, codec ("opus" or "PCMU") and key, certificate (PEM files).

import { PeerConnection, Audio } from 'node-datachannel';
import { Call, question, rtp } from './call.mjs';

const SSRC = 1001;
const FORMATS = { opus: { payloadType: 111, samples: 960 }, PCMU: { payloadType: 0, samples: 160 } };

const [url, file, given] = process.argv.slice(2);
const options = { label: 'oai-events', codec: 'opus', ...JSON.parse(given) };
const { packets } = question(file);
const call = new Call(url);
const format = FORMATS[options.codec];

const keys = options.key ? { certificatePemFile: options.certificate, keyPemFile: options.key } : {};
const connection = new PeerConnection('caller', { iceServers: [], disableAutoNegotiation: true, ...keys });
const audio = new Audio('audio', 'SendRecv');
if (options.codec === 'opus') audio.addOpusCodec(format.payloadType);
else audio.addAudioCodec(format.payloadType, options.codec);
audio.addSSRC(SSRC, 'caller', 'stream', 'track');
const track = connection.addTrack(audio);
const negotiated = options.negotiated === undefined ? {} : { negotiated: true, id: options.negotiated };
const channel = connection.createDataChannel(options.label, negotiated);
channel.onMessage((text) => call.event(text));
track.onMessage((packet) => {
  if ((packet[1] & 0x7f) !== format.payloadType) return; // RTCP
  const payload = packet.subarray(12);
  if (options.codec === 'opus') call.heardOpus(payload);
  else call.heardMulaw(payload);
});
track.onOpen(() => {
  call.speak((number) => {
    if (track.isOpen()) track.sendMessageBinary(rtp(packets[number] ?? packets[0], number, { ...format, ssrc: SSRC }));
  });
});

const gathered = new Promise((resolve) => {
  connection.onGatheringStateChange((state) => { if (state === 'complete') resolve(); });
});
connection.setLocalDescription('offer');
await gathered;
connection.setRemoteDescription(await call.offer(connection.localDescription().sdp), 'answer');
await call.turn();
