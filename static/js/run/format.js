/** Figures for people: three significant digits, a unit, a dash for what is not known. */

const LOCALE = globalThis.document?.documentElement.lang || "en";
const DASH = "–";
const MS_IN_SECONDS_FROM = 9_995; // where three significant digits of milliseconds would read "10,000 ms"
const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];

const SIGNIFICANT = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MOMENT = new Intl.DateTimeFormat(LOCALE, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const CONTROL_SEQUENCES = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

/** @param {unknown} value */
export const known = (value) => typeof value === "number" && Number.isFinite(value);

/** `1234.5` → `1,230`; `0.04567` → `0.0457`. */
export const figure = (value) => (known(value) ? SIGNIFICANT.format(value) : DASH);

/** An exact count: `1234567` → `1,234,567`. */
export const count = (value) => (known(value) ? WHOLE.format(value) : DASH);

/** Milliseconds below ten seconds, then seconds. */
export function ms(value) {
  if (!known(value)) return DASH;
  return value < MS_IN_SECONDS_FROM ? `${SIGNIFICANT.format(value)} ms` : `${SIGNIFICANT.format(value / 1000)} s`;
}

/** A part of a whole: `percent(4, 1000)` → `0.4 %`. */
export function percent(part, whole) {
  if (!known(part) || !known(whole) || whole <= 0) return DASH;
  const value = (part / whole) * 100;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  if (value < 100 && value > 99.95) return "> 99.9 %"; // never round a single success away
  return `${SIGNIFICANT.format(value)} %`;
}

export const rate = (value) => (known(value) ? `${SIGNIFICANT.format(value)}/s` : DASH);

export function bytes(value) {
  if (!known(value)) return DASH;
  let rest = value;
  let unit = 0;
  while (rest >= 1000 && unit < BYTE_UNITS.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${SIGNIFICANT.format(rest)} ${BYTE_UNITS[unit]}`;
}

/** `192` → `03:12`; `3725` → `1:02:05`. */
export function duration(seconds) {
  if (!known(seconds)) return DASH;
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

/** Wall clock in the viewer's zone. @param {number|string} when epoch seconds or ISO 8601 */
export const clock = (when) => format(CLOCK, when);
/** Date and wall clock in the viewer's zone. */
export const moment = (when) => format(MOMENT, when);
/** `2026-01-31 12:03:11 UTC`. */
export function utc(when) {
  const date = toDate(when);
  return date ? `${date.toISOString().slice(0, 19).replace("T", " ")} UTC` : DASH;
}

/** One line of at most `length` characters out of whatever a script called something. */
export function oneLine(text, length = 500) {
  const flat = String(text ?? "").replace(/\s+/g, " ").trim();
  const letters = Array.from(flat);
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : flat;
}

/** Log text without terminal colour codes. */
export const plain = (text) => String(text).replace(CONTROL_SEQUENCES, "");

function format(formatter, when) {
  const date = toDate(when);
  return date ? formatter.format(date) : DASH;
}

function toDate(when) {
  if (when === null || when === undefined || when === "") return null;
  const date = new Date(typeof when === "number" ? when * 1000 : when);
  return Number.isNaN(date.getTime()) ? null : date;
}
