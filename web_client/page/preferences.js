// @ts-check
/** What the page remembers between visits (choices) or while the tab is open (the key). Storage may be forbidden. */

/** @param {string} name */
export const recall = (name) => attempt(() => localStorage.getItem(`parlour.${name}`)) ?? "";

/** @param {string} name @param {string} value */
export const remember = (name, value) => attempt(() => localStorage.setItem(`parlour.${name}`, value));

/** Kept in the tab only. @returns {string | null} */
export const recallKey = () => attempt(() => sessionStorage.getItem("parlour.key")) ?? null;

/** @param {string | null} key */
export function rememberKey(key) {
  attempt(() => (key === null ? sessionStorage.removeItem("parlour.key") : sessionStorage.setItem("parlour.key", key)));
}

/** Why this tab connects by WebSocket, and no longer tries WebRTC. @returns {string | null} null: it tries */
export const recallFallback = () => attempt(() => sessionStorage.getItem("parlour.websocket")) ?? null;

/** @param {string} why */
export const rememberFallback = (why) => attempt(() => sessionStorage.setItem("parlour.websocket", why));

/** A conversation that this tab was in when its page was left. @param {object | null} left */
export function rememberLeft(left) {
  if (left !== null) attempt(() => sessionStorage.setItem("parlour.left", JSON.stringify(left)));
}

/** Once: a copy of this tab must not go on with it too. @returns {any} null where there is none */
export function takeLeft() {
  const left = attempt(() => sessionStorage.getItem("parlour.left")) ?? null;
  attempt(() => sessionStorage.removeItem("parlour.left"));
  return left === null ? null : JSON.parse(left);
}

/**
 * @template T
 * @param {() => T} work
 */
function attempt(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof DOMException) return undefined; // forbidden or full: the page works without
    throw error;
  }
}
