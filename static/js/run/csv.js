/** Rows as CSV (RFC 4180). Pure. */

/** Cells that a spreadsheet would run as a formula get a quote in front. */
export function csvCell(value) {
  const plain = value === null || value === undefined ? "" : String(value);
  const safe = typeof value === "string" && /^\s*[=+\-@\t\r|%]/.test(plain) ? `'${plain}` : plain;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvOf = (rows) => `${rows.map((row) => row.map(csvCell).join(",")).join("\r\n")}\r\n`;
