/** What can be taken away from a run: Locust's files as they were kept, and results made on request. */

import { icon, make } from "./dom.js";
import { isOver } from "./phase.js";
import { text } from "./text.js";

const REPORT = "report.html";
const HEADLINE = new Set(["stats.csv", "junit.xml"]);

/**
 * @param {{api: string, report: string}} addresses of the run's REST resource and of its report page
 * @returns {{name: string, url: string, size: number|null, isPage?: boolean}[]} the report first
 */
export function filesOf(run, { api, report }) {
  const kept = run.artifacts ?? [];
  const page = kept.some(({ name }) => name === REPORT) ? [{ name: text("locust_report"), url: report, size: null, isPage: true }] : [];
  const made = isOver(run) ? ["report.json", "junit.xml"].map((name) => ({ name, url: `${api}${name}`, size: null })) : [];
  return [...page, ...kept, ...made];
}

/** Those that most people come for. */
export function headlineFiles(run, addresses) {
  return filesOf(run, addresses).filter(({ name, isPage }) => isPage || HEADLINE.has(name));
}

/** Paths only: the portal may know itself by another name than the visitor does. */
export function fileLink({ name, url, isPage }, look = false) {
  const href = new URL(url, location.href).pathname;
  const act = isPage ? { target: "_blank", rel: "noopener" } : { download: true };
  return make("a", { class: look, href, ...act }, icon(isPage ? "chart" : "download"), ` ${name}`);
}
