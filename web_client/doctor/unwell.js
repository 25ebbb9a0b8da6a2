// @ts-check
/** What the connection doctor finds wrong. */

export class Unwell extends Error {
  /** @param {string} what is wrong @param {string} cure what to do about it */
  constructor(what, cure) {
    super(what);
    this.cure = cure;
  }
}
