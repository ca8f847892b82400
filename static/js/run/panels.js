/** The quieter tabs: exceptions, events, details, files. Each draws itself anew when its data changed. */

import { icon, make, setHidden, setText } from "./dom.js";
import { eventWords, workerWarning } from "./events.js";
import { fileLink, filesOf } from "./files.js";
import { actorName, bytes, count, duration, moment, oneLine, percentage, plain, time, utc } from "./format.js";
import { elapsed } from "./phase.js";
import { drawCompared } from "./reconcile.js";
import { text } from "./text.js";

const MOST_ROWS = 500;

/** A moment in the viewer's zone, UTC on hover. */
const when = (at, show = time) => make("span", { class: "nowrap", title: at ? utc(at) : false, text: at ? show(at) : "–" });

function showSome(panel, some) {
  setHidden(panel.querySelector("[data-some]"), some === 0);
  setHidden(panel.querySelector("[data-none]"), some > 0);
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

const EVENT_ICONS = {
  state: "state-running", note: "pencil", step: "check", warning: "warning", control: "users", stall: "warning", stall_over: "check", request: "stop",
};
const AROUND_S = 30; // seconds on both sides of a moment that the charts then show

export function drawEvents(panel, { events, run }) {
  showSome(panel, events.length);
  const start = run.started_at ? Date.parse(run.started_at) : null;
  panel.querySelector("[data-some]").replaceChildren(...[...events].sort(newestFirst).map((event) => {
    const since = start === null ? null : (Date.parse(event.at) - start) / 1000;
    return make("li", { class: `event event-${event.kind in EVENT_ICONS ? event.kind : "other"}` },
      eventTime(event),
      make("span", { class: "muted num event-since", text: since !== null && since >= 0 ? duration(since) : "" }),
      make("span", { class: "event-kind" }, icon(EVENT_ICONS[event.kind] ?? "info"), kindText(event)),
      make("bdi", { class: "event-text", text: eventWords(event) }),
      event.by ? make("span", { class: "muted nowrap", text: actorName(event.by) }) : null);
  }));
}

/** By when it was: a note may be written long after what it is about. */
const newestFirst = (a, b) => Date.parse(b.at) - Date.parse(a.at) || (a.id < b.id ? 1 : -1);

/** When it was, or from when to when; a way to see that time in the charts. */
function eventTime({ at, until }) {
  const [from, to] = [Date.parse(at), Date.parse(until ?? at)].map((moment) => Math.floor(moment / 1000));
  const margin = until ? Math.max(2, Math.round((to - from) / 10)) : AROUND_S;
  return make("a", { class: "event-time nowrap", href: `#events&from=${from - margin}&to=${to + margin}`, title: until ? `${utc(at)} – ${utc(until)}` : utc(at),
    text: until ? `${time(at)}–${time(until)}` : time(at) });
}

const kindText = (event) => text(workerWarning(event) ?? (event.kind in EVENT_ICONS ? `event_${event.kind}` : event.kind));

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
    ]);
  }
  drawCompared(panel, store);
  const process = run.workers > 1 ? "master" : "generator"; // each worker says of itself, on a tab of their own
  const peak = generator?.cpu_peak_percent;
  const cpu = percentage(generator?.cpu_percent);
  fillFacts(panel.querySelector("[data-course]"), [
    [text("created"), when(run.created_at, moment)],
    [text("started"), when(run.started_at, moment)],
    [text("finished"), when(run.finished_at, moment)],
    [text("lasted"), run.started_at ? duration(elapsed(run, store.now())) : "–"],
    [text("bytes_received"), bytes(run.totals?.bytes)],
    [text(`${process}_cpu`), peak === undefined ? cpu : text("cpu_peak", { now: cpu, peak: percentage(peak) })],
    [text(`${process}_rss`), bytes(generator?.rss_bytes)],
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
    events: store.events.length, workers: store.workers.length, files: filesOf(store.run, root.dataset).length,
  };
  for (const [name, value] of Object.entries(counts)) {
    setText(root.querySelector(`[data-count="${name}"]`), value ? count(value) : "");
  }
}

