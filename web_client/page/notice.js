// @ts-check
/** A line at the top of the page that goes away by itself, with something to do about it where there is. */

const NOTICE_MS = 8_000;
const OFFER_MS = 30_000; // time to read it, and to reach for it

/** @typedef {{label: string, accept(): void}} Offer */

export class Notice {
  /** @param {HTMLElement} root with a paragraph */
  constructor(root) {
    this.root = root;
    this.text = /** @type {HTMLElement} */ (root.querySelector("p"));
    this.button = document.createElement("button");
    /** @type {Offer | null} */
    this.offer = null;
    this.timer = 0;
    this.button.addEventListener("click", () => {
      const { offer } = this;
      this.hide();
      offer?.accept();
    });
  }

  /** @param {string} message @param {Offer | null} offer */
  show(message, offer = null) {
    clearTimeout(this.timer);
    this.offer = offer;
    this.text.textContent = message;
    this.button.textContent = offer?.label ?? "";
    this.root.replaceChildren(this.text, ...(offer === null ? [] : [this.button]));
    this.root.hidden = false;
    this.timer = window.setTimeout(() => this.hide(), offer === null ? NOTICE_MS : OFFER_MS);
  }

  /** What was offered cannot be done any more. */
  withdraw() {
    if (this.offer !== null) this.hide();
  }

  hide() {
    clearTimeout(this.timer);
    this.offer = null;
    this.root.hidden = true;
  }
}
