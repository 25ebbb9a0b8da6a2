// A call from a page, without any client of ours: options of label, negotiated, bundlePolicy, videoFirst, codec and key.
// Sets window.begun once the microphone is connected; resolves to what was seen.

async (given) => {
  const WITHIN_MS = 30_000;
  const HEARD_ENOUGH_MS = 1_500;
  const LOUD = 0.001; // the mean energy of a sample, of 1
  const options = { label: 'oai-events', bundlePolicy: 'balanced', ...given };
  const seen = { events: [], errors: [], heard_ms: 0, refused: '' };
  let begun;
  window.begun = new Promise((resolve) => { begun = resolve; });

  const configuration = { bundlePolicy: options.bundlePolicy };
  if (options.key === 'RSA') {
    const kind = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
    configuration.certificates = [await RTCPeerConnection.generateCertificate(kind)];
  }
  const connection = new RTCPeerConnection(configuration);
  if (options.videoFirst) connection.addTransceiver('video', { direction: 'recvonly' });
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  const [track] = microphone.getAudioTracks();
  const transceiver = connection.addTransceiver(track, { streams: [microphone] });
  if (options.codec) {
    const known = RTCRtpReceiver.getCapabilities('audio').codecs;
    const preferred = known.filter((codec) => codec.mimeType === `audio/${options.codec}`);
    transceiver.setCodecPreferences([...preferred, ...known.filter((codec) => !preferred.includes(codec))]);
  }
  const negotiated = options.negotiated === undefined ? {} : { negotiated: true, id: options.negotiated };
  connection.createDataChannel(options.label, negotiated).onmessage = ({ data }) => {
    const event = JSON.parse(data);
    seen.events.push(event.type);
    if (event.type === 'error') seen.errors.push(event.error.code);
  };
  connection.ontrack = ({ track: answer, streams }) => {
    if (answer.kind !== 'audio') return;
    const loudspeaker = new Audio();
    loudspeaker.srcObject = streams[0] ?? new MediaStream([answer]);
    document.documentElement.append(loudspeaker);
    loudspeaker.play();
  };

  const heard = async () => {
    for (const one of (await connection.getStats()).values()) {
      if (one.type === 'inbound-rtp' && one.kind === 'audio') {
        return { energy: one.totalAudioEnergy ?? 0, seconds: one.totalSamplesDuration ?? 0 };
      }
    }
    return { energy: 0, seconds: 0 };
  };

  await connection.setLocalDescription();
  const response = await fetch('/v1/realtime/calls', {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: connection.localDescription.sdp,
  });
  const text = await response.text();
  if (response.status !== 201) {
    seen.refused = text;
    return seen;
  }
  await connection.setRemoteDescription({ type: 'answer', sdp: text });
  const ends = performance.now() + WITHIN_MS;
  let before = await heard();
  while (performance.now() < ends) {
    if (seen.events.includes('response.done') && seen.heard_ms >= HEARD_ENOUGH_MS) break;
    if (connection.connectionState === 'connected') begun();
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    const now = await heard();
    const seconds = now.seconds - before.seconds;
    if (seconds > 0 && (now.energy - before.energy) / seconds > LOUD) seen.heard_ms += 1000 * seconds;
    before = now;
  }
  connection.close();
  return seen;
}
