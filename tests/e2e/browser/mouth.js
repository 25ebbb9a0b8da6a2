// Runs in the page before its own scripts: a microphone that hears what the test says, when it says it. A WAV file in its
// place is heard from the moment that the page opens the microphone, however far the page has come by then.
{
  const HZ = 16_000;
  const ears = new Set();
  let context = null;
  let saying = null;

  navigator.mediaDevices.getUserMedia = async () => {
    context ??= new AudioContext();
    await context.resume();
    const ear = context.createMediaStreamDestination();
    const room = new ConstantSourceNode(context, { offset: 0 }); // silence is sound too: the stream goes on
    room.connect(ear);
    room.start();
    ears.add(ear);
    return ear.stream;
  };

  // pcm: s16le mono at HZ, in base64. Settles when all of it is said.
  window.say = (pcm) => {
    const bytes = Uint8Array.from(atob(pcm), (letter) => letter.charCodeAt(0));
    const words = new Int16Array(bytes.buffer);
    const buffer = context.createBuffer(1, words.length, HZ);
    buffer.copyToChannel(Float32Array.from(words, (sample) => sample / 32_768), 0);
    saying = new AudioBufferSourceNode(context, { buffer });
    for (const ear of ears) saying.connect(ear);
    const said = new Promise((done) => (saying.onended = () => done(true)));
    saying.start();
    return said;
  };

  window.hush = () => saying.stop();
}
