// @ts-check
/** The QR code of a text, drawn by the server. The text goes in a request's body: it may hold a token, and addresses are logged. */

const ANSWER_MS = 4_000;

/**
 * An SVG element whose view box is in modules, with the quiet zone; null where the server draws none.
 * @param {string} text @param {string | null} key
 * @returns {Promise<SVGSVGElement | null>}
 */
export async function fetchQrCode(text, key) {
  const headers = { "Content-Type": "text/plain; charset=utf-8", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    const response = await fetch("v1/parlour/qr-code", { method: "POST", headers, body: text, cache: "no-store", signal });
    if (response.status !== 200) return null;
    const drawn = new DOMParser().parseFromString(await response.text(), "image/svg+xml").documentElement;
    return drawn instanceof SVGSVGElement ? drawn : null; // another server's page, say
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    return null; // no answer
  }
}
