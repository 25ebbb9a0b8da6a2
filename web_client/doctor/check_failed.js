// @ts-check
/** A check of the connection doctor that failed. */

export class CheckFailed extends Error {
  /** @param {string} what is wrong @param {string} cure what to do about it */
  constructor(what, cure) {
    super(what);
    this.cure = cure;
  }
}
