/** What the journals of IDs prove, as sentences and rows. Pure. */

const PROBLEMS = ["duplicates", "out_of_range", "gaps", "repeats"];
const UNKNOWN = ["unlisted", "left_out", "refused", "missing"];

/** How many of each kind are wrong. */
export const countOf = (report, kind) => (report[kind] ?? report.sequences[kind]).count;

/**
 * The verdict, as names of sentences with what they are filled with.
 * @param {object} report of `identities/`
 * @returns {{kind: "none"|"idle"|"good"|"partly"|"bad", sentences: {name: string, values: object}[]}}
 */
export function verdictOf(report) {
  if (!report.has_journal) return { kind: "none", sentences: [] };
  const wrong = PROBLEMS.filter((kind) => countOf(report, kind) > 0);
  if (wrong.length) {
    return { kind: "bad", sentences: wrong.map((kind) => ({ name: `ids_${kind}`, values: { count: countOf(report, kind) } })) };
  }
  if (report.used === 0) return { kind: "idle", sentences: [{ name: "ids_idle", values: {} }] };
  const counted = report.sequences.ids > 0;
  const values = { used: report.used, committed: report.sequences.committed };
  const good = { name: counted ? "ids_good_counted" : "ids_good", values };
  if (unknownOf(report) > 0) return { kind: "partly", sentences: [{ name: "ids_partly", values: {} }, good] };
  return { kind: "good", sentences: [good] };
}

/** What the report knows nothing of, in all. */
export const unknownOf = ({ incomplete }) => UNKNOWN.reduce((sum, name) => sum + (incomplete[name] ?? 0), 0);

/** Those kinds of which something is listed, each with how many more there are. @returns {{kind: string, count: number, listed: object[], isCut: boolean}[]} */
export function listsOf(report) {
  return PROBLEMS.map((kind) => ({ kind, ...(report[kind] ?? report.sequences[kind]) }))
    .filter(({ count }) => count > 0)
    .map((found) => ({ ...found, more: Math.max(0, found.count - sizeOf(found)) }));
}

/** Of gaps and repeats, numbers are counted, and stretches of them are listed. */
function sizeOf({ kind, listed }) {
  return kind === "gaps" || kind === "repeats" ? listed.reduce((sum, { first, last }) => sum + last - first + 1, 0) : listed.length;
}

const COLUMNS = ["first", "last", "used", "unused", "borrowed", "out_of_range", "leases"];

/** Head and rows of a CSV file. */
export function rowsOf(report) {
  return [["worker", ...COLUMNS], ...report.workers.map((row) => [row.worker + 1, ...COLUMNS.map((name) => row[name])])];
}
