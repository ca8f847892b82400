/** What happened to a run, in words: notes as they were written, changes of the load as old → new. */

import { duration, significant } from "./format.js";
import { text } from "./text.js";

/** Names of what a change of the load may be about, and how its values are written. */
const CHANGES = {
  users: (value) => (value === null ? text("as_planned") : significant(value, 6)),
  spawn_rate: (value) => (value === null ? text("as_planned") : `${significant(value, 6)}/s`),
  run_time_s: (value) => duration(value),
};

/** One sentence a change: "Users 50 → 80". @returns {string[]} */
export function changesOf(data = {}) {
  const words = Object.entries(CHANGES).flatMap(([name, show]) => {
    const change = data[name];
    return Array.isArray(change) && change.length === 2 ? [text(`change_${name}`, { old: show(change[0]), new: show(change[1]) })] : [];
  });
  if (Array.isArray(data.paused) && data.paused.length === 2) words.unshift(text(data.paused[1] ? "change_paused" : "change_resumed"));
  return words;
}

/** The line for the list and for the mark in the charts. */
export function eventWords(event) {
  const changes = event.kind === "control" ? changesOf(event.data) : [];
  return changes.length ? changes.join(" · ") : event.text;
}

const OF_WORKERS = new Set(["worker_away", "worker_back", "worker_lost", "worker_restarted", "stranger"]);

/** What a warning about a worker is called; null for another event. */
export function workerWarning({ kind, data }) {
  return kind === "warning" && OF_WORKERS.has(data?.code) ? `warning_${data.code}` : null;
}

/** When the pause that holds now began, ISO; null when it is not known. */
export function pausedSince(events) {
  const last = events.filter((event) => event.kind === "control" && Array.isArray(event.data?.paused)).at(-1);
  return last?.data.paused[1] ? last.at : null;
}

/**
 * The rule proposed to a run with too many names: an example, what it would become, and how many names that is.
 * @returns {{from: string, to: string, names: number|null}|null}
 */
export function proposalOf(events) {
  for (const { kind, data } of events) {
    if (kind !== "warning" || data?.code !== "too_many_names") continue;
    const { from, to, names } = data.data ?? data;
    return typeof from === "string" && typeof to === "string" && from && from !== to
      ? { from, to, names: Number.isFinite(names) ? names : null } : { from: "", to: "", names: null };
  }
  return null;
}
