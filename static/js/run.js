/**
 * The page of one run: joins the live line, the store and what is drawn. One frame draws what changed of the head and the
 * charts, the next one what stands below them: nobody waits for the table to see a line.
 */

import { readAddress, write } from "./run/address.js";
import { Api } from "./run/api.js";
import { ChartCards } from "./run/cards.js";
import { Charts } from "./run/charts.js";
import { Controls } from "./run/controls.js";
import { Histogram } from "./run/distribution.js";
import { setHidden, setIcons, setText } from "./run/dom.js";
import { eventWords } from "./run/events.js";
import { saveCsv } from "./run/export.js";
import { Frame } from "./run/frame.js";
import { actorName, count, duration, oneLine, time, waited } from "./run/format.js";
import { Grouping } from "./run/grouping.js";
import { Head } from "./run/head.js";
import { HealthStrip } from "./run/health.js";
import { History } from "./run/history.js";
import { IdPanel } from "./run/id_panel.js";
import { Legend } from "./run/legend.js";
import { LogTail } from "./run/log.js";
import { LogSource } from "./run/log_source.js";
import { STALL_SECONDS, allMarks, eventMarks, phaseMarks, stallsOf } from "./run/marks.js";
import { Notes } from "./run/notes.js";
import { drawCounts, drawDetails, drawEvents, drawExceptions, drawFiles } from "./run/panels.js";
import { isOver, phaseOf } from "./run/phase.js";
import { PhaseStrip, Phases, drawPhases, phaseName } from "./run/phases.js";
import { Poller } from "./run/poll.js";
import { Responses } from "./run/responses.js";
import { Failures } from "./run/samples.js";
import { MAX_LINES, Selection } from "./run/selection.js";
import { Live } from "./run/socket.js";
import { Steering } from "./run/steer.js";
import { Store } from "./run/store.js";
import { EndpointTable } from "./run/table.js";
import { Tabs } from "./run/tabs.js";
import { text } from "./run/text.js";
import { Waiting } from "./run/waiting.js";
import { Figures } from "./run/window.js";
import { WorkerCharts } from "./run/worker_charts.js";
import { WorkerLines } from "./run/worker_lines.js";
import { WorkerTable } from "./run/worker_table.js";

const TAB_OF_PHASE = { queued: "details", starting: "log", failed: "log" }; // where there is something to see
const SETTLING_SECONDS = 30; // while a run is this young, the busiest endpoints are chosen anew
const LOST_SHOWN_AFTER_MS = 1_500; // a page that is left or a quick reconnect is no alarm
const ERROR_SHOWN_MS = 10_000;

const root = document.getElementById("run");
const find = (selector) => root.querySelector(selector);
setIcons(root.dataset.icons);

const frame = new Frame(draw);
const below = new Frame(drawBelow);
const changed = (topics) => frame.mark(topics);
const store = new Store();
const selection = new Selection();
const api = new Api(root.dataset.api);
const history = new History({ api, store, selection, onChange: changed, onError: showError });
const figures = new Figures({ api, store, onChange: changed, onError: showError });
const responses = new Responses({ api, store, onChange: changed, onError: showError });
const phases = new Phases({ api, onChange: changed });
const workerLines = new WorkerLines({ api, store, onChange: changed, onError: showError });
const head = new Head(root);
const waiting = new Waiting(root);
const controls = new Controls(root, { api, onError: showError });
const steering = new Steering(root, { api, onError: showError, onRun: (run) => heard({ type: "state", run }) });
const log = new LogTail(find("#panel-log"), { api });
const logSource = new LogSource(find("[data-log-source]"), {
  api, store, onChoice: (worker) => write({ tab: "log", worker }), onChange: changed, onError: showError,
});
const failures = new Failures(find("#panel-failures"), { api });
const grouping = new Grouping(root, { api });
const refuse = () => showError(text("lines_full", { most: MAX_LINES }));
const chosen = () => {
  history.ensureLines();
  followOnly();
  changed(["selection"]);
};
const charts = new Charts(find("[data-charts]"), {
  onCursor: () => changed(["cursor"]),
  onWindow: showWindow,
  onKey: (place) => cards.speak(place),
  onEndpoint: (index) => responses.choose(index),
  redraw: () => changed(["theme"]),
});
const speak = (words) => (find("[data-spoken]").textContent = words);
const workerCharts = new WorkerCharts(find("[data-worker-charts]"), { charts, store, name: `run-${root.dataset.number}`, onSpeak: speak });
const idPanel = new IdPanel(find("#panel-ids"), { api, name: `run-${root.dataset.number}` });
const legend = new Legend(find("[data-legend]"), { selection, onChange: chosen, onRefused: refuse });
const histogram = new Histogram(find("[data-card=distribution]"), { onSpeak: speak });
const cards = new ChartCards(find("[data-charts]"), {
  charts, histogram, store, figures, name: `run-${root.dataset.number}`, redraw: () => changed(["metric"]),
});
const health = new HealthStrip(find("[data-health]"));
const strip = new PhaseStrip(find("[data-phase-strip]"), showPhase);
const table = new EndpointTable(find("#panel-endpoints"), { selection, onChange: chosen, onRefused: refuse });
const workerTable = new WorkerTable(find("#panel-workers"));
// Nothing more happens to a run that is over: its end is its now.
const nowOfRun = () => Math.min(store.now(), store.run?.finished_at ? Date.parse(store.run.finished_at) : Infinity);
new Notes(root, { api, charts, now: nowOfRun, onError: showError });
const tabs = new Tabs(find("[data-tabs]"), () => changed(["tab"]));
find("[data-endpoints-csv]").addEventListener("click", () => saveCsv(`run-${root.dataset.number}-endpoints`, table.csv()));
find("[data-leave-window]").addEventListener("click", () => charts.leaveWindow());
find("[data-close-error]").addEventListener("click", () => setHidden(find("[data-band=error]"), true));

// --- drawing -----------------------------------------------------------------------------------------------------

/** @param {(...topics: string[]) => boolean} has whether one of them changed @param {string[]} topics all that did */
function draw(has, topics) {
  if (!store.run) return;
  below.mark(topics);
  if (has("run", "tick", "endpoints", "figures", "zoom")) {
    head.render(store, figures, history.shown);
    drawStall();
  }
  if (has("run", "events", "tick", "workers")) waiting.render(store);
  if (has("run")) controls.render(store.run);
  if (has("run", "tick", "events")) steering.render(store);
  if (has("run", "events")) grouping.render(store);
  setHidden(find("[data-tabs]"), false);
  const phase = phaseOf(store.run);
  tabs.suggest(TAB_OF_PHASE[phase] ?? (phase === "report" && !store.hasRequests ? "events" : "endpoints"));
  const isMeasured = store.hasRequests && (phase === "live" || phase === "report");
  setHidden(find("[data-charts]"), !isMeasured);
  find("[data-charts]").inert = false; // their place was held
  if (isMeasured && has("run", "series", "endpoints", "selection", "events", "zoom", "metric", "theme", "phases")) drawCharts();
  else if (isMeasured && has("figures", "cursor")) drawReadings(!has("figures"));
  drawWindow();
}

function drawBelow(has) {
  if (!find("[data-charts]").hidden) drawResponses(has);
  drawPanel(has);
}

function drawCharts() {
  const endpoints = [...selection.on].sort((a, b) => a - b).map((index) => store.endpoints.get(index)).filter(Boolean);
  const series = history.shown;
  charts.setEnds(store.series.t[0] ?? 0, Math.max(store.series.last, store.series.t[0] ?? 0));
  charts.draw(series, { endpoints, isTotalOn: selection.total, metric: cards.metric, run: store.run, marks: marksOf(series) });
  strip.render(phasesNow(), charts.range(), charts.window);
  health.render(series, {
    range: charts.range(), isSettled: figures.isSettled, run: store.run, isExact: responses.isKnown,
  });
  cards.menus.drawTables();
  drawReadings(false);
}

function drawReadings(isCursorOnly) {
  const series = history.shown;
  const place = cards.placeShown();
  const totalsOf = cards.totalsShown && ((endpoint) => (endpoint ? figures.totalsOf(endpoint) : figures.totals));
  const reading = { series, place, metric: cards.metric, totalsOf };
  if (isCursorOnly) legend.read(reading);
  else legend.render(store.endpoints, reading);
  cards.drawReadings(place);
}

/** The heatmap and the histogram: when their figures changed, and when what is shown did. */
function drawResponses(has) {
  if (has("endpoints", "selection", "responses")) charts.heat.offer(store.endpoints.values(), responses.endpoint);
  if (!has("responses", "series", "zoom", "metric", "theme", "figures", "run", "phases", "events")) return;
  charts.drawHeat(responses.heat, responses.isKnown);
  const endpoint = store.endpoints.get(responses.endpoint);
  const totals = endpoint ? figures.totalsOf(endpoint) : figures.totals;
  histogram.render(responses.histogram, { totals, isKnown: responses.isKnown });
  setText(find("[data-distribution-of]"), endpoint ? oneLine(endpoint.label, 80) : text("all_endpoints"));
}

/** The heatmap shows the endpoint that the charts show alone. */
function followOnly() {
  const [only] = [...selection.on].filter((index) => selection.isOnly(index));
  if (only === followOnly.last) return;
  followOnly.last = only;
  responses.choose(only ?? null);
}

function marksOf(series) {
  const words = (event) => (event.by ? `${eventWords(event)} (${actorName(event.by)})` : eventWords(event));
  const stalls = stallsOf(series, (seconds) => text("stall_mark", { seconds }));
  return allMarks(stalls, eventMarks(store.events, words), phaseMarks(phases.list, phaseName));
}

/** The last phase lasts until now, whatever the server knew when it was asked. */
function phasesNow() {
  const last = phases.list.length - 1;
  const until = isOver(store.run) ? -Infinity : store.series.last;
  return phases.list.map((phase, place) => (place === last ? { ...phase, to: Math.max(phase.to, until) } : phase));
}

/** By tab: what it shows, how it is drawn when that changes, and what of it follows the cursor of the charts. */
const PANELS = {
  endpoints: [["endpoints", "tick", "run", "selection", "figures", "zoom"], () => table.render(store, figures)],
  failures: [["failures", "figures", "zoom"], drawFailuresShown],
  phases: [["phases", "zoom"], () => drawPhases(find("#panel-phases"), phases.list, { onChoose: showPhase, window: charts.window, isExact: responses.isKnown })],
  exceptions: [["exceptions"], () => drawExceptions(find("#panel-exceptions"), store)],
  workers: [["workers", "tick", "run", "events", "zoom"], drawWorkersShown, () => workerCharts.read()],
  ids: [["run"], () => idPanel.render(store.run)],
  log: [["log", "workers"], drawLogShown],
  events: [["events"], () => drawEvents(find("#panel-events"), store)],
  details: [["run", "endpoints"], () => drawDetails(find("#panel-details"), store)],
  files: [["run"], () => drawFiles(find("#panel-files"), store, root.dataset)],
};

/** Only the open tab; another one is drawn when it is opened. */
function drawPanel(has) {
  drawCounts(root, store);
  tabs.settle();
  const [topics, drawIt, readIt] = PANELS[tabs.current];
  if (has("tab", ...topics)) drawIt();
  else if (readIt && has("cursor")) readIt();
}

/** Failures of what is shown; the page says so where they are not known for a window. */
function drawFailuresShown() {
  const shown = figures.failures;
  const note = find("[data-failures-note]");
  setHidden(note, shown !== null);
  failures.render({ failures: shown ?? store.failures, collector: store.run.collector });
}

function drawLogShown() {
  logSource.offer();
  logSource.look();
  write({ worker: logSource.worker });
  log.turnTo(logSource.worker);
  log.render(logSource.shown);
}

function drawWorkersShown() {
  workerTable.render(store);
  workerLines.look(charts.window);
  workerCharts.draw(store.workers, workerLines.shown);
}

function drawStall() {
  const seconds = store.stalledFor;
  const band = find("[data-band=stall]");
  setHidden(band, seconds < STALL_SECONDS);
  if (seconds < STALL_SECONDS) return;
  const { in_flight: waiting, oldest_ms: oldest } = store.latest.health ?? {};
  const words = waiting ? text("stalled_waiting", { seconds, waiting: count(waiting), oldest: waited(oldest) }) : text("stalled", { seconds });
  setText(band.querySelector("[data-words]"), words);
  setHidden(band.querySelector("[data-may-sleep]"), Boolean(waiting));
}

// --- the window of time --------------------------------------------------------------------------------------------

/** @param {import("./run/address.js").Window|null} window */
function showWindow(window) {
  write({ window });
  history.zoom(window);
  figures.show(window);
  responses.show(window);
  changed(["zoom"]);
}

function showPhase({ from, to }) {
  if (charts.window?.from === from && charts.window.to === to) charts.leaveWindow();
  else charts.zoomTo(from, to);
}

/** The chip that says of which part of the run every number is. */
function drawWindow() {
  const { window } = charts;
  const chip = find("[data-window]");
  setHidden(chip, !window);
  root.classList.toggle("is-windowed", Boolean(window));
  if (!window) return;
  const { from, to } = window;
  setText(chip.querySelector("[data-window-words]"), text("window", { from: time(from), to: time(to), length: duration(to - from + 1) }));
  setHidden(chip.querySelector("[data-window-loading]"), Boolean(figures.summary));
  setHidden(chip.querySelector("[data-window-rough]"), figures.summary?.is_exact !== false);
}

addEventListener("hashchange", () => {
  const { window, worker } = readAddress(location.hash);
  if (worker !== null) logSource.choose(worker);
  if (window) charts.zoomTo(window.from, window.to);
  else write({ window: charts.window }); // a link to a tab does not leave the window
});

function showError(message) {
  const band = find("[data-band=error]");
  setText(band.querySelector("[data-words]"), message);
  setHidden(band, false);
  clearTimeout(showError.timer);
  showError.timer = setTimeout(() => setHidden(band, true), ERROR_SHOWN_MS);
}

// --- the live line -------------------------------------------------------------------------------------------------

function heard(message) {
  const before = store.run?.state;
  const topics = store.apply(message);
  if (topics.includes("endpoints")) {
    const age = store.run.started_at ? (store.now() - Date.parse(store.run.started_at)) / 1000 : 0;
    selection.follow(store.endpoints.values(), message.type === "snapshot" || age < SETTLING_SECONDS);
    history.ensureLines();
  }
  if (message.type === "snapshot") afterSnapshot();
  if (message.type === "tick" && topics.length) {
    history.keepSmall();
    for (const part of [history, figures, responses, phases]) part.heard(store.latest);
  }
  if (message.type === "event" && message.event.kind === "control") phases.fetch();
  if (message.type === "state" && store.run.state !== before) document.dispatchEvent(new Event("hatchery:run-state"));
  if (message.type === "state" && isOver(store.run)) settle();
  changed(topics);
}

let hasLooked = false;

function afterSnapshot() {
  history.afterSnapshot();
  if (store.latest) for (const part of [history, figures, responses, phases]) part.heard({ t: store.latest.t, sketch: null });
  if (hasLooked) return;
  hasLooked = true;
  const { window, worker } = readAddress(location.hash);
  if (worker !== null) logSource.choose(worker);
  if (window) charts.zoomTo(window.from, window.to);
}

/** The run is over: once more what was asked for while it ran, now of all of it. */
function settle() {
  if (settle.isDone) return;
  settle.isDone = true;
  phases.fetch();
  responses.fetch();
  if (figures.window) figures.fetch();
}

const poller = new Poller({
  api,
  run: () => store.run,
  isOver: () => Boolean(store.run && isOver(store.run)),
  seriesKeys: () => [...selection.on],
  onMessage: (message) => {
    heard(message);
    connection(isOver(store.run) ? "ok" : "polling"); // a finished run misses nothing without a live line
  },
  onError: (error) => connection(error.status === 403 ? "forbidden" : error.status === 404 ? "missing" : "lost"),
});

let lostTimer = 0;

/** @param {"ok"|"lost"|"polling"|"forbidden"|"missing"} state */
function connection(state) {
  const band = find("[data-band=connection]");
  clearTimeout(lostTimer);
  if (state === "ok") return setHidden(band, true);
  if (!store.run && (state === "forbidden" || state === "missing")) root.dataset.phase = "gone";
  const say = () => {
    const words = state === "lost" && !store.latest ? "connection_none" : `connection_${state}`;
    setText(band.querySelector("[data-words]"), text(words, { time: store.latest ? time(store.latest.t) : "" }));
    setHidden(band, false);
  };
  if (state === "lost" && band.hidden) lostTimer = setTimeout(say, LOST_SHOWN_AFTER_MS);
  else say();
}

const live = new Live({
  url: window.hatcheryLine.address,
  connect: window.hatcheryLine.connect,
  isActive: () => !store.run || !isOver(store.run),
  onMessage: heard,
  onStatus: (status) => {
    if (status === "blocked") return poller.start();
    if (status === "connecting") return undefined;
    if (status !== "lost") poller.stop();
    return connection(status === "live" ? "ok" : status);
  },
});
live.start();
addEventListener("online", () => live.hurry());
addEventListener("pagehide", () => clearTimeout(lostTimer));
setInterval(() => {
  head.tickClock(store);
  steering.tick();
  if (store.run && tabs.current === "log" && !document.hidden) logSource.look();
}, 1_000);
addEventListener("beforeprint", () => store.run && drawDetails(find("#panel-details"), store)); // printed whichever tab is open
