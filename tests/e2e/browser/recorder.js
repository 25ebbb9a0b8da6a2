// Runs in the page before its own scripts: remembers what a person would have seen go by.
window.seen = { states: [], saidWords: [], loudest: 0, frames: [] };

document.addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement;
  const note = () => {
    if (window.seen.states.at(-1) !== root.dataset.state) window.seen.states.push(root.dataset.state);
  };
  new MutationObserver(note).observe(root, { attributeFilter: ["data-state"] });
  note();
  new MutationObserver(() => {
    const count = document.querySelectorAll("#lines li.assistant:last-of-type .word.said").length;
    if (window.seen.saidWords.at(-1) !== count) window.seen.saidWords.push(count);
  }).observe(document.querySelector("#lines"), { subtree: true, childList: true, attributeFilter: ["class"] });
  const bar = document.querySelector("#speaker-level i");
  new MutationObserver(() => {
    const level = Number(/scaleX\((.+)\)/.exec(bar.style.transform)?.[1] ?? 0);
    window.seen.loudest = Math.max(window.seen.loudest, level);
  }).observe(bar, { attributeFilter: ["style"] });
});

// For each event that changes the state: what the page showed in the very next frame.
const RealWebSocket = window.WebSocket;
window.WebSocket = class extends RealWebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      const { type } = JSON.parse(data);
      requestAnimationFrame(() => {
        const word = document.querySelector("#state-word").textContent;
        window.seen.frames.push({ type, state: document.documentElement.dataset.state, word });
      });
    });
  }
};
