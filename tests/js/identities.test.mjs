import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf } from "../../static/js/run/csv.js";
import { listsOf, rowsOf, unknownOf, verdictOf } from "../../static/js/run/identities.js";

const none = { count: 0, listed: [] };
const report = (more = {}) => ({
  has_journal: true, used: 500, workers: [], duplicates: none, out_of_range: none,
  sequences: { ids: 0, committed: 0, gaps: none, repeats: none },
  incomplete: { unlisted: 0, left_out: 0, refused: 0, missing: 0 }, ...more,
});
const names = (found) => verdictOf(found).sentences.map(({ name }) => name);

test("IDs that nobody had twice are good, and so are sequences without a gap", () => {
  assert.deepEqual(verdictOf(report()), { kind: "good", sentences: [{ name: "ids_good", values: { used: 500, committed: 0 } }] });
  assert.deepEqual(names(report({ sequences: { ids: 3, committed: 9, gaps: none, repeats: none } })), ["ids_good_counted"]);
});

test("everything that is wrong is said", () => {
  const one = { count: 1, listed: [] };
  const found = report({ duplicates: one, out_of_range: one, sequences: { ids: 1, committed: 1, gaps: one, repeats: one } });
  assert.equal(verdictOf(found).kind, "bad");
  assert.deepEqual(names(found), ["ids_duplicates", "ids_out_of_range", "ids_gaps", "ids_repeats"]);
});

test("a script that counts by itself is neither good nor bad, and nothing used is not yet good", () => {
  assert.equal(verdictOf(report({ has_journal: false })).kind, "none");
  assert.equal(verdictOf(report({ used: 0 })).kind, "idle");
});

test("what is not listed is counted; of gaps the numbers are", () => {
  const gaps = { count: 12, listed: [{ id: "a", first: 3, last: 7 }, { id: "b", first: 1, last: 1 }] };
  const duplicates = { count: 3, listed: [{}, {}] };
  const found = listsOf(report({ duplicates, sequences: { ids: 1, committed: 1, gaps, repeats: none } }));
  assert.deepEqual(found.map(({ kind, more }) => [kind, more]), [["duplicates", 1], ["gaps", 6]]);
});

test("what is not known is added up", () => {
  assert.equal(unknownOf(report()), 0);
  const found = report({ incomplete: { unlisted: 1, left_out: 2, refused: 0, missing: 4 } });
  assert.equal(unknownOf(found), 7);
  assert.equal(verdictOf(found).kind, "partly");
  assert.deepEqual(names(found), ["ids_partly", "ids_good"]);
});

test("the table leaves as CSV, with people's numbers and without formulas", () => {
  const row = { worker: 0, first: "=cmd|1", last: "=cmd|9", used: 8, unused: 1, borrowed: 0, out_of_range: 0, leases: 8 };
  const [head, line] = csvOf(rowsOf(report({ workers: [row] }))).split("\r\n");
  assert.equal(head, "worker,first,last,used,unused,borrowed,out_of_range,leases");
  assert.equal(line, "1,'=cmd|1,'=cmd|9,8,1,0,0,8");
});
