/** The page of one run: joins the live line, the store and what is drawn. One frame draws everything that changed. */

import { Api } from "./run/api.js";
import { ChartCards } from "./run/cards.js";
import { Charts } from "./run/charts.js";
import { Controls } from "./run/controls.js";
import { setHidden, setIcons, setText } from "./run/dom.js";
import { saveCsv } from "./run/export.js";
import { Frame } from "./run/frame.js";
import { time } from "./run/format.js";
import { Head } from "./run/head.js";
import { History } from "./run/history.js";
import { Legend } from "./run/legend.js";
import { LogTail } from "./run/log.js";
import { drawCounts, drawDetails, drawEvents, drawExceptions, drawFailures, drawFiles } from "./run/panels.js";
import { isOver, phaseOf } from "./run/phase.js";
import { Poller } from "./run/poll.js";
import { MAX_LINES, Selection } from "./run/selection.js";
import { Live } from "./run/socket.js";
import { Store } from "./run/store.js";
import { EndpointTable } from "./run/table.js";
import { Tabs } from "./run/tabs.js";
import { text } from "./run/text.js";
import { Waiting } from "./run/waiting.js";

const TAB_OF_PHASE = { queued: "details", starting: "log", failed: "log" }; // where there is something to see
const STALL_SECONDS = 3;
const SETTLING_SECONDS = 30; // while a run is this young, the busiest endpoints are chosen anew
const LOST_SHOWN_AFTER_MS = 1_500; // a page that is left or a quick reconnect is no alarm
const ERROR_SHOWN_MS = 10_000;

const root = document.getElementById("run");
const find = (selector) => root.querySelector(selector);
setIcons(root.dataset.icons);

const frame = new Frame(draw);
const changed = (topics) => frame.mark(topics);
const store = new Store();
const selection = new Selection();
const api = new Api(root.dataset.api);
const history = new History({ api, store, selection, onChange: changed, onError: showError });
const head = new Head(root);
const waiting = new Waiting(root);
const controls = new Controls(root, { api, onError: showError });
const log = new LogTail(find("#panel-log"));
const refuse = () => showError(text("lines_full", { most: MAX_LINES }));
const chosen = () => {
  history.ensureLines();
  changed(["selection"]);
};
const charts = new Charts(find("[data-charts]"), {
  onCursor: () => changed(["cursor"]),
  onZoom: (zoom) => {
    history.zoom(zoom);
    changed(["zoom"]);
  },
  onKey: (place) => cards.speak(place),
  redraw: () => changed(["theme"]),
});
const legend = new Legend(find("[data-legend]"), { selection, onChange: chosen, onRefused: refuse });
const cards = new ChartCards(find("[data-charts]"), { charts, store, name: `run-${root.dataset.number}`, redraw: () => changed(["metric"]) });
const table = new EndpointTable(find("#panel-endpoints"), { selection, onChange: chosen, onRefused: refuse });
const tabs = new Tabs(find("[data-tabs]"), () => changed(["tab"]));
find("[data-endpoints-csv]").addEventListener("click", () => saveCsv(`run-${root.dataset.number}-endpoints`, table.csv()));
find("[data-unzoom]").addEventListener("click", () => charts.leaveZoom());
find("[data-close-error]").addEventListener("click", () => setHidden(find("[data-band=error]"), true));

// --- drawing -----------------------------------------------------------------------------------------------------

/** @param {(...topics: string[]) => boolean} has whether one of them changed */
function draw(has) {
  if (!store.run) return;
  if (has("run", "tick", "endpoints")) {
    head.render(store);
    drawStall();
  }
  if (has("run", "events", "tick")) waiting.render(store);
  if (has("run")) controls.render(store.run);
  setHidden(find("[data-tabs]"), false);
  const phase = phaseOf(store.run);
  tabs.suggest(TAB_OF_PHASE[phase] ?? (phase === "report" && !store.hasRequests ? "events" : "endpoints"));
  const isMeasured = store.hasRequests && (phase === "live" || phase === "report");
  setHidden(find("[data-charts]"), !isMeasured);
  if (isMeasured && has("run", "series", "endpoints", "selection", "events", "zoom", "metric", "theme")) drawCharts();
  else if (isMeasured && has("cursor")) drawReadings(true);
  drawPanel(has);
}

function drawCharts() {
  const endpoints = [...selection.on].sort((a, b) => a - b).map((index) => store.endpoints.get(index)).filter(Boolean);
  const what = { endpoints, isTotalOn: selection.total, metric: cards.metric, run: store.run, events: store.events };
  charts.draw(history.shown, what);
  setHidden(find("[data-unzoom]"), !charts.zoom);
  cards.drawTables();
  drawReadings(false);
}

function drawReadings(isCursorOnly) {
  const series = history.shown;
  const place = cards.placeShown();
  const reading = { series, place, metric: cards.metric, totals: cards.totalsShown };
  if (isCursorOnly) legend.read(reading);
  else legend.render(store.endpoints, reading);
  cards.drawReadings(place);
}

const PANELS = {
  endpoints: [["endpoints", "tick", "run", "selection"], () => table.render(store, isOver(store.run))],
  failures: [["failures"], () => drawFailures(find("#panel-failures"), store)],
  exceptions: [["exceptions"], () => drawExceptions(find("#panel-exceptions"), store)],
  log: [["log"], () => log.render(store)],
  events: [["events"], () => drawEvents(find("#panel-events"), store)],
  details: [["run"], () => drawDetails(find("#panel-details"), store)],
  files: [["run"], () => drawFiles(find("#panel-files"), store, root.dataset)],
};

/** Only the open tab; another one is drawn when it is opened. */
function drawPanel(has) {
  drawCounts(root, store);
  const [topics, drawIt] = PANELS[tabs.current];
  if (has("tab", ...topics)) drawIt();
}

function drawStall() {
  const seconds = store.stalledFor;
  const band = find("[data-band=stall]");
  setHidden(band, seconds < STALL_SECONDS);
  if (seconds >= STALL_SECONDS) setText(band.querySelector("[data-words]"), text("stalled", { seconds }));
}

function showError(message) {
  const band = find("[data-band=error]");
  setText(band.querySelector("[data-words]"), message);
  setHidden(band, false);
  clearTimeout(showError.timer);
  showError.timer = setTimeout(() => setHidden(band, true), ERROR_SHOWN_MS);
}

// --- the live line -------------------------------------------------------------------------------------------------

function heard(message) {
  const topics = store.apply(message);
  if (topics.includes("endpoints")) {
    const age = store.run.started_at ? (store.now() - Date.parse(store.run.started_at)) / 1000 : 0;
    selection.follow(store.endpoints.values(), message.type === "snapshot" || age < SETTLING_SECONDS);
    history.ensureLines();
  }
  if (message.type === "snapshot") history.afterSnapshot();
  if (message.type === "tick") history.keepSmall();
  changed(topics);
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
  const say = () => {
    const at = store.latest ? time(store.latest.t) : "–";
    setText(band.querySelector("[data-words]"), text(`connection_${state}`, { time: at }));
    setHidden(band, false);
  };
  if (state === "lost" && band.hidden) lostTimer = setTimeout(say, LOST_SHOWN_AFTER_MS);
  else say();
}

const address = new URL(root.dataset.socket, location.href);
address.protocol = address.protocol.replace("http", "ws");
const live = new Live({
  url: address.href,
  isActive: () => Boolean(store.run && !isOver(store.run)),
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
setInterval(() => head.tickClock(store), 1_000);
