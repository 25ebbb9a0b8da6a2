// @ts-check
/** What the user chose, kept between visits. Storage may be forbidden: then each visit begins with the defaults. */

import { unlessForbidden } from "../connection/tab_storage.js";

/** "" where nothing was chosen. @param {string} name */
export const preference = (name) => unlessForbidden(() => localStorage.getItem(`parlour.${name}`)) ?? "";

/** @param {string} name @param {string} value */
export const setPreference = (name, value) => unlessForbidden(() => localStorage.setItem(`parlour.${name}`, value));
