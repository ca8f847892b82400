// Numbers for people, by the same rules as apps/core/templatetags/hatchery.py: three significant digits, units always.

export const NOTHING = "–";
const NARROW = "\u202f"; // between a number and its unit

const known = (value) => value !== null && value !== undefined && Number.isFinite(Number(value));

/** 1284551 → "1,284,551" */
export function count(value) {
  return known(value) ? Math.round(value).toLocaleString("en-US") : NOTHING;
}

/** 1234.5 → "1,230", 12.345 → "12.3", 0.01234 → "0.0123" */
export function significant(value, digits = 3) {
  if (!known(value)) return NOTHING;
  return Number(Number(value).toPrecision(digits)).toLocaleString("en-US", { maximumFractionDigits: 6 });
}

/** Milliseconds: "312 ms" below 10 s, then "12.3 s". */
export function ms(value) {
  if (!known(value)) return NOTHING;
  return value < 10_000 ? `${significant(value)}${NARROW}ms` : `${significant(value / 1000)}${NARROW}s`;
}

/** Requests a second. */
export function rate(value) {
  return known(value) ? `${significant(value)}${NARROW}req/s` : NOTHING;
}

/** A fraction: 0.004 → "0.4 %" */
export function percent(value) {
  return known(value) ? `${significant(value * 100)}${NARROW}%` : NOTHING;
}

/** Seconds as a clock: "03:12", "1:02:03". */
export function clock(seconds) {
  if (!known(seconds)) return NOTHING;
  const total = Math.max(0, Math.floor(seconds));
  const pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const rest = `${pad(Math.floor(total / 60) % 60)}:${pad(total % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

/** Bytes: "1.23 MB". */
export function bytes(value) {
  if (!known(value)) return NOTHING;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (Math.abs(value) >= 1000 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${significant(value)}${NARROW}${units[step]}`;
}
