/** Rows as CSV (RFC 4180). Pure. */

/** Cells that a spreadsheet would run as a formula get a quote in front, and those in which one begins where another
 * language separates cells, a quote there. As `harmless` in `apps/runs/exports.py`. */
export function csvCell(value) {
  const plain = value === null || value === undefined ? "" : String(value);
  const safe = typeof value === "string" ? harmless(plain) : plain;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function harmless(text) {
  const inside = text.replace(/([;\t\r\n])(?=\s*[=+\-@＝＋－＠])/g, "$1'");
  return /^\s*[=+\-@＝＋－＠\t\r|%]/.test(text) ? `'${inside}` : inside;
}

export const csvOf = (rows) => `${rows.map((row) => row.map(csvCell).join(",")).join("\r\n")}\r\n`;
