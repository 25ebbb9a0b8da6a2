// @ts-check
/** Keys: Space talks, then mutes; Escape stops the answer, then ends (out of a field, it only leaves it); S the words; D the details. */

/** @typedef {{space(): void, escape(field: HTMLElement | null): void, words(): void, details(): void}} Keys `field`: where one wrote */

/** @param {Keys} keys */
export function listenToKeys(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return; // it has keys of its own
    const target = event.target instanceof HTMLElement ? event.target : document.body;
    if (event.key === "Escape") return keys.escape(isField(target) ? target : null);
    if (isField(target)) return;
    if (event.key === " " && !answersToSpace(target)) {
      event.preventDefault(); // it would scroll the page
      keys.space();
    } else if (event.key === "s" || event.key === "S") keys.words();
    else if (event.key === "d" || event.key === "D") keys.details();
  });
}

/** @param {HTMLElement} target */
const isField = (target) => target.matches("input, select, textarea");

/** A focused button is pressed by Space, as everywhere. @param {HTMLElement} target */
const answersToSpace = (target) => target.matches("button, a, summary");
