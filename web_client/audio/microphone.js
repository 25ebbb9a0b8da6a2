// @ts-check
/**
 * The microphone: asked for, changed and given back without the rest of the page noticing. The capture worklet
 * stays; only what feeds it is swapped.
 */

/** @typedef {"denied" | "missing" | "busy" | "insecure"} MicrophoneTrouble */

export class MicrophoneError extends Error {
  /** @param {MicrophoneTrouble} trouble */
  constructor(trouble) {
    super(trouble);
    this.trouble = trouble;
  }
}

export class Microphone {
  /**
   * @param {(pcm: Int16Array, level: number) => void} onFrame @param {(trouble: MicrophoneTrouble) => void} onLoss
   * @param {(track: MediaStreamTrack | null) => void} onTrack the same sound as the frames, for who sends it by itself
   */
  constructor(onFrame, onLoss, onTrack) {
    this.onFrame = onFrame;
    this.onTrack = onTrack;
    this.onLoss = onLoss;
    this.muted = false;
    /** @type {string} chosen by the user; "" is the system's choice */
    this.preferred = "";
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {MediaStreamAudioSourceNode | null} */
    this.source = null;
    /** @type {AudioWorkletNode | null} */
    this.worklet = null;
    /** @type {AudioContext | null} */
    this.context = null;
  }

  get on() {
    return this.stream !== null;
  }

  /** The device in use, "" if none. */
  get deviceId() {
    return this.stream?.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }

  /** Throws MicrophoneError. @param {AudioContext} context whose capture worklet module is loaded */
  async start(context) {
    this.context = context;
    if (!this.worklet) {
      this.worklet = new AudioWorkletNode(context, "parlour-capture", { numberOfInputs: 1, numberOfOutputs: 0 });
      this.worklet.port.onmessage = ({ data }) => this.frame(data.pcm, data.level);
    }
    await this.swap();
  }

  /** Take the preferred device, or another where it is gone. Throws MicrophoneError. */
  async swap() {
    if (!this.context || !this.worklet) return;
    const stream = await openStream(this.preferred);
    if (!this.context) return release(stream); // stopped while the browser was asking
    this.source?.disconnect();
    release(this.stream);
    this.stream = stream;
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.worklet);
    for (const track of stream.getAudioTracks()) {
      track.onended = () => {
        if (stream === this.stream) void this.replace();
      };
    }
    this.setMuted(this.muted);
    this.onTrack(stream.getAudioTracks()[0] ?? null);
  }

  /** The device went away: use what is left. */
  async replace() {
    try {
      await this.swap();
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      this.stop();
      this.onLoss(error.trouble);
    }
  }

  /** Something was plugged in or out. @param {MediaDeviceInfo[]} devices those that are left */
  async devicesChanged(devices) {
    if (!this.on) return;
    const microphones = devices.filter((device) => device.kind === "audioinput"); // "default" is a speaker's id too
    const present = (/** @type {string} */ id) => microphones.some((device) => device.deviceId === id);
    const ended = this.stream?.getAudioTracks().every((track) => track.readyState === "ended");
    const preferredCameBack = this.preferred !== "" && this.deviceId !== this.preferred && present(this.preferred);
    if (ended || !present(this.deviceId) || preferredCameBack) await this.replace();
  }

  /** A muted microphone sends silence: the server's clock of speech goes on. @param {boolean} muted */
  setMuted(muted) {
    this.muted = muted;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  stop() {
    this.source?.disconnect();
    this.source = null;
    this.onTrack(null);
    release(this.stream);
    this.stream = null;
    this.worklet?.port.close();
    this.worklet?.disconnect();
    this.worklet = null;
    this.context = null;
  }

  /** @param {Int16Array} pcm @param {number} level */
  frame(pcm, level) {
    if (this.muted) this.onFrame(pcm.fill(0), 0); // what was under way when the switch was pressed
    else this.onFrame(pcm, level);
  }
}

/** @param {string} preferred @returns {Promise<MediaStream>} */
async function openStream(preferred) {
  if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("insecure");
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  try {
    const deviceId = preferred ? { ideal: preferred } : undefined;
    return await navigator.mediaDevices.getUserMedia({ audio: deviceId ? { ...audio, deviceId } : audio });
  } catch (error) {
    throw new MicrophoneError(troubleOf(error));
  }
}

/** @param {unknown} error @returns {MicrophoneTrouble} */
function troubleOf(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "missing";
}

/** @param {MediaStream | null} stream */
function release(stream) {
  for (const track of stream?.getTracks() ?? []) {
    track.onended = null;
    track.stop();
  }
}
