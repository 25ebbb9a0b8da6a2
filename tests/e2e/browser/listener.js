// Runs in the page before its own scripts: takes down what the microphone hears and what a call plays, in pieces of 8 ms,
// each with the time at which it went by.
window.taps = { mouth: [], ear: [] };

const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[samples]]) {
    if (samples) this.port.postMessage({ at: Date.now(), samples: samples.slice() });
    return true;
  }
});`;
const tapping = (() => {
  let context = null;
  return () => (context ??= (async () => {
    const made = new AudioContext({ sampleRate: 16_000 });
    await made.audioWorklet.addModule(URL.createObjectURL(new Blob([TAP], { type: "text/javascript" })));
    return made;
  })());
})();

async function tap(name, stream) {
  const context = await tapping();
  const node = new AudioWorkletNode(context, "tap", { numberOfInputs: 1, numberOfOutputs: 0 });
  node.port.onmessage = ({ data }) => window.taps[name].push(data);
  context.createMediaStreamSource(stream).connect(node);
}

const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await open(wish);
  void tap("mouth", stream);
  return stream;
};

window.connections = [];
const Connection = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Connection {
  constructor(...given) {
    super(...given);
    window.connections.push(this);
    this.addEventListener("track", ({ track }) => void tap("ear", new MediaStream([track])));
  }
};

// What was taken down: when each piece went by, in ms since the epoch, and all samples as s16le in base64.
window.tapped = (name) => {
  const pieces = window.taps[name];
  const bytes = new Uint8Array(pieces.length * 256);
  const pcm = new DataView(bytes.buffer);
  pieces.forEach(({ samples }, piece) =>
    samples.forEach((sample, at) => pcm.setInt16(2 * (128 * piece + at), Math.max(-32768, Math.min(32767, sample * 32768)), true)),
  );
  let binary = "";
  for (let at = 0; at < bytes.length; at += 32_768) binary += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return { at: pieces.map(({ at }) => at), pcm: btoa(binary) };
};
