/** The portal's figures, and what only a run needs: moments to the second, names on one line, log lines without codes. */

export { NOTHING, bytes, clock as duration, count, ms, percent, rate, significant } from "../format.js";
import { NOTHING, ms, percent, significant } from "../format.js";

const NARROW = "\u202f"; // between a number and its unit
const LOCALE = globalThis.document?.documentElement.lang || "en";
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MOMENT = new Intl.DateTimeFormat(LOCALE, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const CONTROL_SEQUENCES = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** A part of a whole. Never rounds a single failure away, nor a single success: `share(4, 1000)` → `0.4 %`. */
export function share(part, whole) {
  if (!isNumber(part) || !isNumber(whole) || whole <= 0) return NOTHING;
  const fraction = part / whole;
  if (fraction > 0 && fraction < 0.0001) return `< 0.01${NARROW}%`;
  if (fraction < 1 && fraction > 0.9995) return `> 99.9${NARROW}%`;
  return percent(fraction);
}

/** `182/s`, for columns whose head says of what. */
export const perSecond = (value) => (isNumber(value) ? `${significant(value)}/s` : NOTHING);

/** How long something has been waiting: `148 ms`, `6.9 s`; seconds are what a person counts there. */
export const waited = (value) => (isNumber(value) && value >= 1_000 ? `${(value / 1_000).toFixed(1)}${NARROW}s` : ms(value));

/** A percentage that comes as one: `38` → `38 %`. */
export const percentage = (value) => (isNumber(value) ? `${significant(value)}${NARROW}%` : NOTHING);

/** Wall clock in the viewer's zone. @param {number|string} when epoch seconds or ISO 8601 */
export const time = (when) => format(CLOCK, when);
/** Date and wall clock in the viewer's zone. */
export const moment = (when) => format(MOMENT, when);
/** `2026-01-31 12:03:11 UTC`. */
export function utc(when) {
  const date = toDate(when);
  return date ? `${date.toISOString().slice(0, 19).replace("T", " ")} UTC` : NOTHING;
}

/** One line of at most `length` characters out of whatever a script called something. */
export function oneLine(text, length = 500) {
  const letters = Array.from(String(text ?? "").replace(/\s+/g, " ").trim());
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : letters.join("");
}

/** Log text without terminal colour codes. */
export const plain = (text) => String(text).replace(CONTROL_SEQUENCES, "");

/** `user:alice` → `alice`: a stored label without its kind. */
export const actorName = (label) => label.slice(label.indexOf(":") + 1);

function format(formatter, when) {
  const date = toDate(when);
  return date ? formatter.format(date) : NOTHING;
}

function toDate(when) {
  if (when === null || when === undefined || when === "") return null;
  const date = new Date(typeof when === "number" ? when * 1000 : when);
  return Number.isNaN(date.getTime()) ? null : date;
}
