// @ts-check
/** Microphone and speaker: the choices in the settings, and what happens when something is plugged in or out. */

import { Speaker } from "../audio/speaker.js";
import { preference, setPreference } from "./preferences.js";

/** @typedef {import("./app.js").App} App */

export class DeviceSelect {
  /**
   * @param {App} app
   * @param {{microphone: HTMLSelectElement, speaker: HTMLSelectElement, speakerField: HTMLElement}} fields
   * @param {() => void} onMicrophoneAppeared
   */
  constructor(app, fields, onMicrophoneAppeared) {
    this.app = app;
    this.fields = fields;
    this.onMicrophoneAppeared = onMicrophoneAppeared;
    app.input.microphone.preferred = preference("microphone");
    app.output.speaker.deviceId = preference("speaker");
    app.output.remote.deviceId = preference("speaker");
    fields.speakerField.hidden = !Speaker.canChoose;
    fields.microphone.addEventListener("change", () => void this.chooseMicrophone(fields.microphone.value));
    fields.speaker.addEventListener("change", () => void this.chooseSpeaker(fields.speaker.value));
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.changed());
  }

  /** @param {string} id */
  async chooseMicrophone(id) {
    setPreference("microphone", id);
    this.app.input.microphone.preferred = id;
    if (this.app.input.microphone.on) await this.app.input.microphone.replace();
    this.app.changed();
  }

  /** @param {string} id */
  async chooseSpeaker(id) {
    setPreference("speaker", id);
    await this.app.output.choose(id);
  }

  async changed() {
    const devices = await this.refresh();
    await this.app.input.microphone.devicesChanged(devices);
    const hasMicrophone = devices.some((device) => device.kind === "audioinput");
    if (hasMicrophone && this.app.input.trouble === "missing") this.onMicrophoneAppeared();
    const wanted = preference("speaker");
    const present = devices.some((device) => device.kind === "audiooutput" && device.deviceId === wanted);
    const use = present ? wanted : "";
    if (use !== this.app.output.speaker.deviceId) await this.app.output.choose(use);
    this.app.changed();
  }

  /** Fill the choices. Names are known only once the microphone may be used. */
  async refresh() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    fillDevices(this.fields.microphone, devices, "audioinput", preference("microphone"));
    fillDevices(this.fields.speaker, devices, "audiooutput", preference("speaker"));
    return devices;
  }
}

/** @param {HTMLSelectElement} select @param {MediaDeviceInfo[]} devices @param {MediaDeviceKind} kind @param {string} chosen */
function fillDevices(select, devices, kind, chosen) {
  const named = devices.filter((device) => device.kind === kind && device.deviceId !== "" && device.deviceId !== "default");
  const choices = named.map((device, index) => new Option(device.label || `Device ${index + 1}`, device.deviceId));
  select.replaceChildren(new Option("System default", ""), ...choices);
  select.value = named.some((device) => device.deviceId === chosen) ? chosen : "";
}
