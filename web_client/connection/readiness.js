// @ts-check
/** What `/readyz` says. Pure. */

/** @typedef {{isFull: boolean, away: string | null}} Readiness away: what is not ready, and what to do about it, in a sentence; null: nothing */

/** @param {Record<string, unknown>} body of its answer @returns {Readiness} */
export function readinessOf(body) {
  const isFull = body.full === true;
  if (body.ready !== false || isFull) return { isFull, away: null };
  return { isFull, away: sentence(typeof body.detail === "string" ? body.detail : "") };
}

/** With a capital letter and a full stop. @param {string} text */
function sentence(text) {
  const trimmed = text.trim();
  const capital = trimmed.slice(0, 1).toUpperCase() + trimmed.slice(1);
  return capital === "" || /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
