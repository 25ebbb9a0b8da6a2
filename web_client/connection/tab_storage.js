// @ts-check
/** What outlives a reload, in this tab only: the key, the fallback to WebSocket, a session to resume. Storage may be forbidden. */

/** @returns {string | null} */
export const storedKey = () => unlessForbidden(() => sessionStorage.getItem("parlour.key")) ?? null;

/** @param {string | null} key */
export function storeKey(key) {
  unlessForbidden(() => (key === null ? sessionStorage.removeItem("parlour.key") : sessionStorage.setItem("parlour.key", key)));
}

/** Why this tab connects by WebSocket, and no longer tries WebRTC. @returns {string | null} null: it tries */
export const storedFallback = () => unlessForbidden(() => sessionStorage.getItem("parlour.websocket")) ?? null;

/** @param {string} why */
export const storeFallback = (why) => unlessForbidden(() => sessionStorage.setItem("parlour.websocket", why));

/** The session that this tab was in when its page was left. @param {object | null} session */
export function storeSession(session) {
  if (session !== null) unlessForbidden(() => sessionStorage.setItem("parlour.left", JSON.stringify(session)));
}

/** Once: a copy of this tab must not go on with it too. @returns {any} null where there is none */
export function takeStoredSession() {
  const session = unlessForbidden(() => sessionStorage.getItem("parlour.left")) ?? null;
  unlessForbidden(() => sessionStorage.removeItem("parlour.left"));
  return session === null ? null : JSON.parse(session);
}

/**
 * undefined where storage is forbidden or full: the page works without.
 * @template T
 * @param {() => T} access
 */
export function unlessForbidden(access) {
  try {
    return access();
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}
