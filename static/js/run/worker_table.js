/** The tab of workers: the table, the charts above it, and who is there while the run starts. */

import { icon, make, setHidden, setText, swatch } from "./dom.js";
import { NOTHING, bytes, count, isNumber, ms, oneLine, percentage, share, significant, time, utc } from "./format.js";
import { HOT_CPU_PERCENT } from "./health.js";
import { elapsed, isOver } from "./phase.js";
import { text } from "./text.js";
import { MOST_LINES } from "./worker_lines.js";
import { clockOffset, lookOf, numberOf, stateLook, sumOf, thereOf } from "./workers.js";

export const MOST_ROWS = 500;

export class WorkerTable {
  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.find = (name) => panel.querySelector(`[data-${name}]`);
    this.table = panel.querySelector("table.workers");
    /** @type {Map<number, HTMLTableRowElement>} */
    this.rows = new Map();
  }

  /** @param {import("./store.js").Store} store */
  render(store) {
    const { workers } = store;
    const rateOf = rateIn(store);
    const hasLines = workers.length > 1 && store.hasRequests;
    setHidden(this.find("some"), workers.length === 0);
    setHidden(this.find("none"), workers.length > 0);
    setHidden(this.find("worker-charts"), !hasLines);
    setHidden(this.find("more-workers"), !hasLines || workers.length <= MOST_LINES);
    const rows = workers.slice(0, MOST_ROWS).map((worker) => this.#row(worker, cellsOf(worker, rateOf(worker), hasLines), workers.length));
    const [body] = this.table.tBodies;
    if (rows.length !== body.rows.length || rows.some((row, place) => row !== body.rows[place])) body.replaceChildren(...rows);
    this.table.tFoot.replaceChildren(...(workers.length > 1 ? [footOf(sumOf(workers, rateOf))] : []));
  }

  /** The row of a worker with new cells. Its last one stays: a link in it is pressed, and keeps the focus. */
  #row(worker, cells, all) {
    if (!this.rows.has(worker.index)) this.rows.set(worker.index, make("tr", {}, logCell(worker, all)));
    const row = this.rows.get(worker.index);
    row.className = `worker-${worker.state}`;
    for (const old of [...row.cells].slice(0, -1)) old.remove();
    row.prepend(...cells);
    return row;
  }
}

/** How fast a worker is; of a run that is over, how fast it was. */
function rateIn(store) {
  const { run } = store;
  const seconds = elapsed(run, store.now());
  if (!isOver(run)) return ({ index }) => store.rates.rateOf(index, store.now());
  return ({ requests }) => (isNumber(requests) && seconds > 0 ? requests / seconds : null);
}

const figure = (words, tone = "") => make("td", { class: `num ${tone}`, text: words });

function cellsOf(worker, rate, hasLine) {
  const { generator } = worker;
  const cpu = generator?.cpu_percent;
  return [
    make("th", { scope: "row", class: "nowrap" }, hasLine && worker.index < MOST_LINES ? swatch(lookOf(worker.index)) : null, ` ${numberOf(worker)}`),
    make("td", { class: "worker-host", title: `${worker.host}\n${worker.runner}` }, make("bdi", { text: oneLine(worker.host, 60) })),
    make("td", {}, stateMark(worker), worker.reason ? make("div", { class: "muted worker-reason" }, make("bdi", { text: worker.reason })) : null),
    figure(`${count(worker.users)} / ${count(worker.most_users)}`),
    figure(significant(rate)),
    figure(share(worker.failures, worker.requests), worker.failures > 0 ? "tone-failed" : ""),
    figure(percentage(cpu), cpu >= HOT_CPU_PERCENT ? "tone-invalid" : ""),
    figure(bytes(generator?.rss_bytes)),
    make("td", { class: "mono nowrap" }, rangeOf(worker.ids, worker.most_users)),
    inUse(worker),
    figure(count(worker.offset)),
    figure(count(worker.starts), worker.starts > 1 ? "tone-invalid" : ""),
    make("td", { class: "nowrap" }, linkOf(worker), clockOf(worker)),
  ];
}

/** Of a run of one process the log is the run's. */
function logCell(worker, all) {
  const label = text("worker_log", { number: numberOf(worker) });
  return make("td", {}, make("a", { href: all > 1 ? `#log&worker=${worker.index}` : "#log", "aria-label": label, text: text("log") }));
}

/** How many of its IDs are in use; who does not ask for them says nothing of them. */
function inUse({ ids }) {
  if (isNumber(ids.in_use)) return figure(count(ids.in_use));
  return make("td", { class: "num muted", title: text("ids_not_asked"), text: NOTHING });
}

function footOf(sum) {
  const head = make("th", { scope: "row", colspan: 3, text: text("workers_all") });
  return make("tr", {}, head, figure(`${count(sum.users)} / ${count(sum.most_users)}`), figure(significant(sum.rps)),
    figure(share(sum.failures, sum.requests), sum.failures > 0 ? "tone-failed" : ""), make("td", { colspan: 3 }), figure(isNumber(sum.in_use) ? count(sum.in_use) : ""), make("td", { colspan: 4 }));
}

const rangeOf = ({ first, last }, size) => make("bdi", { text: size === 1 ? first : `${first} – ${last}` });

/** Icon and word. */
export function stateMark(worker) {
  const { icon: name, tone } = stateLook(worker);
  return make("span", { class: `worker-state ${tone && `tone-${tone}`}` }, icon(name), make("span", { text: text(`worker_${worker.state}`) }));
}

/** Whether it hears its master. What never changed is not told. */
function linkOf({ link, state }) {
  if (!link) return make("span", { class: "muted", text: state === "ready" ? text("link_heard") : "–" });
  const heard = state === "ended" ? "link_until_end" : "link_heard";
  const words = text(link.state === "heard" ? heard : "link_silent", { time: time(link.since) });
  return make("span", { class: link.state === "heard" ? "muted" : "tone-invalid", title: utc(link.since), text: words });
}

function clockOf(worker) {
  const offset = clockOffset(worker);
  if (offset === null) return null;
  return make("div", { class: "muted", title: text("clock_hint"), text: text(offset > 0 ? "clock_behind" : "clock_ahead", { ms: ms(Math.abs(offset)) }) });
}

/** While a run of several starts: who is there, and who is waited for. @param {HTMLElement} place */
export function drawArrivals(place, workers) {
  setHidden(place, workers.length < 2);
  if (workers.length < 2) return;
  const { there, all } = thereOf(workers);
  setText(place.querySelector("[data-there]"), text("workers_there", { there: count(there), all: count(all) }));
  place.querySelector("ul").replaceChildren(...workers.slice(0, MOST_ROWS).map((worker) => make("li", {},
    stateMark(worker), make("span", {}, text("worker_short", { number: numberOf(worker) }), " · ", make("bdi", { text: oneLine(worker.host, 60) })),
    worker.reason ? make("bdi", { class: "muted", text: worker.reason }) : null)));
}
