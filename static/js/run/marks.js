/** What is marked in the charts besides lines: stalls, notes and spans, warnings, changes of the load, phases. Pure. */

import { isNumber } from "./format.js";
import { TOTAL } from "./series.js";

export const STALL_SECONDS = 3;
const MARKED = new Set(["note", "warning", "control", "stall"]);

/**
 * @typedef {{kind: "note"|"warning"|"control"|"stall"|"phase", t: number, until: number|null, text: string}} Mark
 */

/** Stretches in which users were there, nothing completed and, where that is known, something waited. @returns {Mark[]} */
export function stallsOf(series, sentence) {
  const { t, step } = series;
  const [rates, users, waiting] = ["rps", "users", "in_flight"].map((name) => series.column(TOTAL, name));
  const stalls = [];
  let first = -1;
  const close = (after) => {
    const seconds = first < 0 ? 0 : t[after - 1] - t[first] + step;
    if (seconds >= STALL_SECONDS) {
      stalls.push({ kind: "stall", t: t[first], until: t[after - 1] + step - 1, text: sentence(seconds) });
    }
    first = -1;
  };
  for (let place = 0; place < t.length; place += 1) {
    const isStill = rates[place] === 0 && users[place] > 0 && waiting[place] !== 0;
    if (isStill && first < 0) first = place;
    else if (!isStill) close(place);
  }
  close(t.length);
  return stalls;
}

/** Marks of events. @param {(event: object) => string} words @returns {Mark[]} */
export function eventMarks(events, words) {
  return events.filter((event) => MARKED.has(event.kind)).map((event) => ({
    kind: event.kind, t: seconds(event.at), until: event.until ? seconds(event.until) : null, text: words(event),
  }));
}

/** All marks of the charts. A stall that is seen in the figures needs no mark of its event beside it. */
export function allMarks(stalls, events, phases) {
  const isShaded = (mark) => stalls.some((stall) => mark.t >= stall.t - STALL_SECONDS && mark.t <= stall.until + STALL_SECONDS);
  return [...stalls, ...events.filter((mark) => mark.kind !== "stall" || !isShaded(mark)), ...phases];
}

/** Where one phase ends and the next begins. @returns {Mark[]} */
export function phaseMarks(phases, words) {
  return phases.slice(1).map((phase) => ({ kind: "phase", t: phase.from, until: null, text: words(phase) }));
}

/** The mark nearest to a moment, within `reach` seconds; spans hold all they cover. Points come before spans. */
export function markNear(marks, t, reach) {
  const distance = (mark) => Math.abs(mark.t - t);
  const points = marks.filter((mark) => distance(mark) <= reach).sort((a, b) => distance(a) - distance(b));
  return points[0] ?? marks.find((mark) => isNumber(mark.until) && t >= mark.t - reach && t <= mark.until + reach) ?? null;
}

const seconds = (iso) => Date.parse(iso) / 1000;
