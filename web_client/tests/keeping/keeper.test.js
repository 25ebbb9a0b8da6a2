import assert from "node:assert/strict";
import { test } from "node:test";
import { continued } from "../../keeping/keeper.js";

/** @param {string} id @param {string} text @returns {import("../../conversation/record.js").RecordLine} */
const line = (id, text = id) => ({ id, role: "user", text });

test("after the page was loaded again, what was kept stays, and what came since follows", () => {
  const earlier = [line("a", "with a clip"), line("b", "half of an ans")];
  const toldAnew = [line("a", "told anew"), line("b", "half of an answer"), line("c")];
  assert.deepEqual(continued(earlier, toldAnew), [line("a", "with a clip"), line("b", "half of an answer"), line("c")]);
});

test("what was kept is not lost where the server tells nothing anew, or does not know it", () => {
  const earlier = [line("a"), line("b")];
  assert.deepEqual(continued(earlier, []), earlier);
  assert.deepEqual(continued(earlier, [line("x")]), [line("a"), line("b"), line("x")]);
  assert.deepEqual(continued([], [line("x")]), [line("x")]);
});

test("items that lie before what was kept already are not told twice", () => {
  const earlier = [line("q"), line("r"), line("s")];
  assert.deepEqual(continued(earlier, [line("q_0"), line("q"), line("q_1"), line("r"), line("s")]), [line("q"), line("r"), line("s")]);
});
