/** Do the numbers add up? Every endpoint's collected requests beside Locust's own count, those that differ first. */

import { icon, make, setHidden, setText } from "./dom.js";
import { count, oneLine, percentage } from "./format.js";
import { text } from "./text.js";

/** @typedef {{label: string, collected: number, locust: number|null, difference: number|null}} Compared */

/** @param {Iterable<{label: string, totals: object, locust?: number|null, difference?: number|null}>} endpoints @returns {Compared[]} */
export function compared(endpoints) {
  const rows = [...endpoints].map(({ label, totals, locust = null, difference = null }) => (
    { label, collected: totals?.requests ?? 0, locust, difference }));
  return rows.sort((a, b) => Math.abs(b.difference ?? 0) - Math.abs(a.difference ?? 0) || b.collected - a.collected);
}

/** What all of it says: the name of a sentence, and its values. @param {Compared[]} rows */
export function verdictOf(rows) {
  const known = rows.filter(({ locust }) => locust !== null);
  const differing = known.filter(({ difference }) => difference !== 0);
  if (!known.length) return { name: "compared_none", values: {}, isEqual: false };
  if (!differing.length) return { name: "compared_equal", values: { endpoints: count(known.length) }, isEqual: true };
  const worst = Math.max(...differing.map(({ difference, locust }) => Math.abs(difference) / Math.max(1, locust)));
  return {
    name: "compared_differ", isEqual: false,
    values: { differing: count(differing.length), endpoints: count(known.length), worst: percentage(worst * 100) },
  };
}

/** Collected ÷ Locust's own, in percent with as many digits as a single request of a million needs. */
export function ratio({ collected, locust }) {
  if (locust === null || locust === 0) return "–";
  const percent = (collected / locust) * 100;
  if (collected === locust) return "100\u202f%";
  const shown = percent.toFixed(4).replace(/0+$/, "").replace(/\.$/, "");
  return `${shown === "100" ? (percent < 100 ? "< 100" : "> 100") : shown}\u202f%`;
}

/** @param {HTMLElement} panel */
export function drawCompared(panel, { endpoints, run }) {
  const rows = compared(endpoints.values());
  const { name, values, isEqual } = verdictOf(rows);
  const isKnown = Boolean(run.reconciliation) && name !== "compared_none";
  const sentence = panel.querySelector("[data-compared-sentence]");
  setHidden(panel.querySelector("[data-compared]"), !isKnown);
  setHidden(sentence, !isKnown);
  if (!isKnown) return;
  sentence.className = isEqual ? "tone-passed" : "tone-invalid";
  sentence.replaceChildren(icon(isEqual ? "check" : "warning"), ` ${text(name, values)}`);
  panel.querySelector("[data-compared] tbody").replaceChildren(...rows.map((row) => make("tr", { class: row.difference ? "is-differing" : false },
    make("td", { class: "cell-name" }, make("bdi", { title: oneLine(row.label), text: oneLine(row.label) })),
    make("td", { class: "num", text: count(row.collected) }),
    make("td", { class: "num", text: row.locust === null ? "–" : count(row.locust) }),
    make("td", { class: row.difference ? "num tone-invalid" : "num", text: row.difference === null ? "–" : count(row.difference) }),
    make("td", { class: "num", text: ratio(row) }))));
  setText(panel.querySelector("[data-compared-by]"), text(run.collector === "csv" ? "collector_csv" : "collector_exact"));
}
