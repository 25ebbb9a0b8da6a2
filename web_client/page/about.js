// @ts-check
/** What the server says about itself: which model answers, what that can do, which voices, and whether it wants a key. */

import { fetchJson } from "../connection/client.js";
import { storedKey } from "../connection/tab_storage.js";
import { byId } from "./dom.js";
import { preference, setPreference } from "./preferences.js";

/** @typedef {import("./app.js").App} App */
/**
 * @typedef {{model: string, model_title: string, about: string, upgrade: string, voices: string[], needs_key: boolean}} About
 */

/** What the server says about itself; null where it says nothing. @returns {Promise<About | null>} */
export async function fetchAbout() {
  try {
    const { status, body } = await fetchJson("v1/parlour", storedKey());
    if (status === 401) return { ...NOTHING, needs_key: true };
    return status === 200 ? { ...NOTHING, ...body } : null;
  } catch {
    return null; // not reachable; the connection will say so when it is wanted
  }
}

/** @type {About} */
const NOTHING = { model: "", model_title: "", about: "", upgrade: "", voices: [], needs_key: false };

/** @param {About} about @param {App} app @param {(message: string) => void} notice */
export function showAbout(about, app, notice) {
  byId("about-line", HTMLElement).textContent = about.model_title;
  byId("about", HTMLElement).hidden = about.about === "";
  byId("about-title", HTMLElement).textContent = about.model_title || "About";
  byId("about-text", HTMLElement).textContent = about.about;
  byId("about-upgrade", HTMLElement).textContent = about.upgrade;
  byId("about-change", HTMLElement).hidden = about.upgrade === "";
  byId("intro", HTMLElement).hidden = about.about === "";
  byId("intro-text", HTMLElement).textContent = about.about;
  byId("intro-more", HTMLElement).hidden = about.upgrade === "";
  showVoices(about.voices, app, notice);
}

/** @param {string[]} voices @param {App} app @param {(message: string) => void} notice */
function showVoices(voices, app, notice) {
  const select = byId("voice", HTMLSelectElement);
  const chosen = preference("voice");
  byId("voice-field", HTMLElement).hidden = voices.length < 2;
  select.replaceChildren(...voices.map((name) => new Option(name, name)));
  app.voice = voices.includes(chosen) ? chosen : "";
  if (app.voice) select.value = app.voice;
  select.addEventListener("change", () => {
    app.voice = select.value;
    setPreference("voice", select.value);
    notice("The new voice speaks from the next conversation on.");
  });
}
