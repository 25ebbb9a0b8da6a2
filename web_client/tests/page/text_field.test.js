import assert from "node:assert/strict";
import { test } from "node:test";

import { shortened } from "../../page/text_field.js";

test("a text that fits stays, a longer one keeps its beginning", () => {
  assert.equal(shortened("", 4), "");
  assert.equal(shortened("four", 4), "four");
  assert.equal(shortened("fives", 4), "five");
});

test("no character is cut in half", () => {
  assert.equal(shortened("abc😀", 4), "abc");
  assert.equal(shortened("ab😀d", 4), "ab😀");
  assert.equal(shortened("ab😀", 4), "ab😀");
});
