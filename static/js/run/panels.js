/** The quieter tabs: failures, exceptions, events, details, files. Each draws itself anew when its data changed. */

import { icon, make, setHidden, setText } from "./dom.js";
import { fileLink, filesOf } from "./files.js";
import { actorName, bytes, count, duration, moment, oneLine, percentage, plain, time, utc } from "./format.js";
import { elapsed } from "./phase.js";
import { text } from "./text.js";

const MOST_ROWS = 500;

/** A moment in the viewer's zone, UTC on hover. */
const when = (at, show = time) => make("span", { class: "nowrap", title: at ? utc(at) : false, text: at ? show(at) : "–" });

function showSome(panel, some) {
  setHidden(panel.querySelector("[data-some]"), some === 0);
  setHidden(panel.querySelector("[data-none]"), some > 0);
}

export function drawFailures(panel, { failures }) {
  showSome(panel, failures.length);
  const rows = [...failures].sort((a, b) => b.occurrences - a.occurrences).slice(0, MOST_ROWS);
  panel.querySelector("tbody").replaceChildren(...rows.map((row) => make("tr", {},
    make("td", { class: "num tone-failed", text: count(row.occurrences) }),
    make("td", { class: "cell-name" }, make("bdi", { title: oneLine(row.name), text: oneLine(`${row.method} ${row.name}`) })),
    make("td", { class: "cell-error mono" }, make("bdi", { text: plain(row.error) })),
    make("td", { class: "num" }, when(row.first_seen)),
    make("td", { class: "num" }, when(row.last_seen)))));
}

export function drawExceptions(panel, { exceptions }) {
  showSome(panel, exceptions.length);
  const list = panel.querySelector("[data-some]");
  const open = new Set([...list.querySelectorAll("details[open]")].map((fold) => fold.dataset.message));
  list.replaceChildren(...exceptions.slice(0, MOST_ROWS).map((row) => {
    const summary = make("summary", {}, make("b", { class: "tone-failed num", text: text("times", { count: count(row.count) }) }),
      " ", make("bdi", { class: "mono", text: oneLine(plain(row.message)) }));
    return make("details", { class: "card exception", "data-message": row.message, open: open.has(row.message) }, summary,
      make("pre", { text: plain(row.traceback) }));
  }));
}

const EVENT_ICONS = { state: "state-running", note: "pencil", step: "check", warning: "warning" };

export function drawEvents(panel, { events, run }) {
  showSome(panel, events.length);
  const start = run.started_at ? Date.parse(run.started_at) : null;
  panel.querySelector("[data-some]").replaceChildren(...[...events].reverse().map((event) => {
    const since = start === null ? null : (Date.parse(event.at) - start) / 1000;
    return make("li", { class: `event event-${event.kind in EVENT_ICONS ? event.kind : "other"}` },
      when(event.at),
      make("span", { class: "muted num event-since", text: since !== null && since >= 0 ? duration(since) : "" }),
      make("span", { class: "event-kind" }, icon(EVENT_ICONS[event.kind] ?? "info"), kindText(event.kind)),
      make("bdi", { class: "event-text", text: event.text }),
      event.by ? make("span", { class: "muted nowrap", text: actorName(event.by) }) : null);
  }));
}

const kindText = (kind) => (kind in EVENT_ICONS ? text(`event_${kind}`) : kind);
export function drawDetails(panel, store) {
  const { run } = store;
  const { reconciliation: check, generator } = run;
  const facts = panel.querySelector("[data-reconciliation]");
  setHidden(panel.querySelector("[data-reconciliation-none]"), Boolean(check));
  setHidden(facts, !check);
  if (check) {
    const isEqual = check.difference === 0;
    fillFacts(facts, [
      [text("collected"), count(check.collected)],
      [text("locust"), count(check.locust)],
      [text("difference"), make("span", { class: isEqual ? "tone-passed" : "tone-invalid" },
        icon(isEqual ? "check" : "warning"), ` ${count(check.difference)}`)],
      ...(check.endpoints ?? []).slice(0, 20).map((one) => [oneLine(`${one.method ?? ""} ${one.name ?? ""}`, 80), count(one.difference)]),
    ]);
  }
  const peak = generator?.cpu_peak_percent;
  const cpu = percentage(generator?.cpu_percent);
  fillFacts(panel.querySelector("[data-course]"), [
    [text("created"), when(run.created_at, moment)],
    [text("started"), when(run.started_at, moment)],
    [text("finished"), when(run.finished_at, moment)],
    [text("lasted"), run.started_at ? duration(elapsed(run, store.now())) : "–"],
    [text("bytes_received"), bytes(run.totals?.bytes)],
    [text("generator_cpu"), peak === undefined ? cpu : text("cpu_peak", { now: cpu, peak: percentage(peak) })],
    [text("generator_rss"), bytes(generator?.rss_bytes)],
  ]);
}

function fillFacts(list, facts) {
  list.replaceChildren(...facts.flatMap(([name, value]) => [
    make("dt", { text: name }),
    value instanceof Node ? make("dd", {}, value) : make("dd", { text: value }),
  ]));
}

export function drawFiles(panel, { run }, addresses) {
  const files = filesOf(run, addresses);
  showSome(panel, files.length);
  panel.querySelector("[data-some]").replaceChildren(...files.map((file) => make("li", {},
    fileLink(file), make("span", { class: "muted num", text: file.size === null ? "" : bytes(file.size) }))));
}

/** Figures beside the names of the tabs. */
export function drawCounts(root, store) {
  const counts = {
    endpoints: store.endpoints.size, failures: store.failures.length, exceptions: store.exceptions.length,
    events: store.events.length, files: filesOf(store.run, root.dataset).length,
  };
  for (const [name, value] of Object.entries(counts)) {
    setText(root.querySelector(`[data-count="${name}"]`), value ? count(value) : "");
  }
}

