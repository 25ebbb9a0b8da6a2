// @ts-check
/** The field for a written question: it grows with its lines, Enter sends, and what is too long for it is said. */

export const CHARACTERS_MAX = 4_000;

export class TextField {
  /**
   * @param {HTMLTextAreaElement} area
   * @param {{send(text: string): void, cut(message: string): void}} listener
   */
  constructor(area, listener) {
    this.area = area;
    this.listener = listener;
    const form = /** @type {HTMLFormElement} */ (area.form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      listener.send(area.value.trim());
    });
    area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault(); // a new line, which Shift and Enter make
      form.requestSubmit();
    });
    area.addEventListener("input", () => this.changed());
    new ResizeObserver(() => this.grow()).observe(form);
  }

  /** @param {string} text */
  set value(text) {
    this.area.value = text;
    this.grow();
  }

  get value() {
    return this.area.value;
  }

  changed() {
    const kept = shortened(this.area.value, CHARACTERS_MAX);
    if (kept !== this.area.value) {
      this.area.value = kept;
      this.listener.cut(`That is longer than ${CHARACTERS_MAX.toLocaleString("en")} characters: its end was left out.`);
    }
    this.grow();
  }

  /** As high as its lines, up to the limit of the style sheet. */
  grow() {
    this.area.style.height = "auto";
    const border = this.area.offsetHeight - this.area.clientHeight;
    this.area.style.height = `${this.area.scrollHeight + border}px`;
  }
}

/** The beginning of a text; no character that JavaScript counts as two is cut in the middle. @param {string} text @param {number} length */
export function shortened(text, length) {
  const kept = text.slice(0, length);
  return text.length > length && isHalf(kept.charCodeAt(length - 1)) ? kept.slice(0, -1) : kept;
}

/** The first half of a surrogate pair. @param {number} code */
const isHalf = (code) => code >= 0xd800 && code < 0xdc00;
