import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("..", import.meta.url);
const MAY_IMPORT = {
  page: ["page", "doctor", "audio", "clips", "connection", "keeping", "conversation"],
  doctor: ["doctor", "audio", "connection", "conversation"],
  audio: ["audio", "conversation"],
  connection: ["connection", "conversation"],
  clips: ["clips", "conversation"],
  keeping: ["keeping", "conversation"],
  conversation: ["conversation"],
};

/** @param {string} folder */
function modules(folder) {
  const names = readdirSync(new URL(folder, ROOT)).filter((name) => name.endsWith(".js"));
  return names.map((name) => ({ name: `${folder}/${name}`, text: readFileSync(new URL(`${folder}/${name}`, ROOT), "utf8") }));
}

test("imports point down, of types too: page, doctor, audio beside clips, connection and keeping, conversation", () => {
  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    for (const { name, text } of modules(folder)) {
      const imported = [...text.matchAll(/(?:\bfrom |\bimport\(|^import )"(.+?)"/gm)].map(([, path]) => new URL(path, new URL(name, ROOT)).pathname);
      const folders = imported.map((path) => path.slice(ROOT.pathname.length).split("/")[0]);
      assert.deepEqual(folders.filter((each) => !allowed.includes(each)), [], name);
    }
  }
});

test("the conversation is pure: no clock, chance, timer, network or document", () => {
  const impure = /\b(Date|performance|setTimeout|setInterval|requestAnimationFrame|fetch|WebSocket|document|window|navigator|localStorage|sessionStorage|getRandomValues)\b|Math\.random/;
  const withoutComments = (/** @type {string} */ text) => text.replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
  for (const { name, text } of modules("conversation")) assert.doesNotMatch(withoutComments(text), impure, name);
});
