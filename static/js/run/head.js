/** The line on top and the big numbers. */

import { icon, setHidden, setText } from "./dom.js";
import { count, duration, isNumber, moment, ms, percentage, rate, share, utc, waited } from "./format.js";
import { HOT_CPU_PERCENT } from "./health.js";
import { elapsed, goalOf, isOver, phaseOf } from "./phase.js";
import { TOTAL, placesWithin } from "./series.js";
import { text } from "./text.js";

const CPU_WARM_PERCENT = 75; // of one core: from here on Locust's own numbers begin to suffer

export class Head {
  constructor(root) {
    this.state = root.querySelector("[data-state]");
    this.verdict = root.querySelector("[data-verdict]");
    this.progress = root.querySelector("[data-progress]");
    this.bar = this.progress.querySelector("progress");
    this.elapsed = root.querySelector("[data-elapsed]");
    this.planned = root.querySelector("[data-planned]");
    this.announcer = root.querySelector("[data-announce]");
    this.created = root.querySelector("[data-created]");
    this.numbers = root.querySelector("[data-numbers]");
    this.shownState = null;
  }

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./window.js").Figures} figures
   * @param {import("./series.js").Series} series what the charts show
   */
  render(store, figures, series) {
    const { run } = store;
    this.#badge(run);
    const view = { store, run, totals: figures.totals, latest: store.latest, ...windowOf(figures, series) };
    this.#number("users", ...usersOf(view));
    this.#number("rps", ...rateOf(view));
    this.#number("failed", ...failedOf(view), view.totals.failures > 0 ? "failed" : "");
    this.#number("p95", ...latencyOf(view));
    this.#number("waiting", ...waitingOf(view));
    this.#number("generator", ...generatorOf(view));
    const phase = phaseOf(run);
    setHidden(this.numbers, phase !== "live" && !(phase === "report" && store.hasRequests));
    this.tickClock(store);
  }

  /** Once a second, whether messages come or not. */
  tickClock(store) {
    const { run } = store;
    if (!run) return;
    setHidden(this.progress, !run.started_at);
    const seconds = elapsed(run, store.now());
    setText(this.elapsed, duration(seconds));
    setText(this.planned, duration(run.run_time_s));
    this.progress.classList.toggle("is-over", isOver(run));
    this.bar.value = isOver(run) && run.state === "finished" ? 1 : Math.min(1, seconds / (run.run_time_s || Infinity));
  }

  #badge(run) {
    const word = text(`state_${run.state}`);
    const signature = `${run.state} ${run.verdict}`;
    if (signature === this.shownState) return;
    this.state.className = `state state-${run.state}`;
    this.state.replaceChildren(icon(`state-${run.state}`), word);
    setHidden(this.verdict, !run.verdict || run.verdict === "none");
    if (run.verdict && run.verdict !== "none") {
      this.verdict.className = `state verdict-${run.verdict}`;
      this.verdict.replaceChildren(icon(`verdict-${run.verdict}`), text(`verdict_${run.verdict}`));
    }
    // The first state is what the page opened with, no news.
    if (this.shownState !== null) this.announcer.textContent = text("announce_state", { state: word });
    this.shownState = signature;
    if (run.created_at) {
      this.created.textContent = moment(run.created_at);
      this.created.title = utc(run.created_at);
    }
  }

  #number(name, value, below, tone = "") {
    const tile = this.numbers.querySelector(`[data-number="${name}"]`);
    setText(tile.querySelector("b"), value);
    setText(tile.querySelector("span"), below);
    tile.className = tone ? `tone-${tone}` : "";
  }
}

/** What a window holds besides totals: {} when the whole run is shown. */
function windowOf({ window, summary }, series) {
  if (!window) return {};
  const [first, last] = placesWithin(series.t, window.from, window.to);
  const most = (metric) => mostOf(series, metric, first, last + 1);
  return { window: { users: summary?.users ?? null, waiting: most("in_flight"), oldest: most("oldest_ms"), cpu: most("cpu_percent") } };
}

/** Each returns what to show large and what below. */
function usersOf({ store, run, latest, window }) {
  if (window) {
    const { low, high } = window.users ?? {};
    return [low === high ? count(high) : `${count(low)}–${count(high)}`, text("in_window")];
  }
  if (isOver(run)) return [count(run.peak_users ?? run.users), text("peak_users", { users: count(mostAsked(run, store.series)) })];
  const second = run.started_at ? elapsed(run, store.now()) : 0;
  const asked = run.steering?.own_shape ? latest?.health?.target_users : goalOf(run, second).users;
  return [count(latest?.users ?? run.current_users ?? 0), text("of_users", { users: count(asked) })];
}

/** As planned, or as somebody wanted while it was on. */
const mostAsked = (run, series) =>
  Math.max(run.users ?? 0, mostOf(series, "target_users") ?? 0, ...(run.stages ?? []).map((stage) => stage.users));

function rateOf({ store, run, totals, latest, window }) {
  const value = window || isOver(run) || !latest ? totals.rps : store.recentRate;
  return [rate(value), text(window ? "requests_window" : "requests_total", { count: count(totals.requests) })];
}

function failedOf({ totals: { requests, failures } }) {
  return [share(failures, requests), text("failures_total", { count: count(failures), all: count(requests) })];
}

function latencyOf({ run, totals: { p50_ms, p95_ms, p99_ms }, latest, window }) {
  if (window || isOver(run)) return [ms(p95_ms), text("p50_p99", { p50: ms(p50_ms), p99: ms(p99_ms) })];
  return [ms(latest?.total?.p95_ms), text("over_run", { value: ms(p95_ms) })];
}

function waitingOf({ run, latest, window, store }) {
  if (window) return isNumber(window.waiting) ? [count(window.waiting), text("most_waiting", { oldest: waited(window.oldest) })] : notKnown(run);
  if (isOver(run)) {
    const most = mostOf(store.series, "in_flight");
    return most === null ? notKnown(run) : [count(most), text("most_at_once")];
  }
  const { in_flight: waiting, oldest_ms: oldest } = latest?.health ?? {};
  if (!isNumber(waiting)) return notKnown(run);
  return [count(waiting), waiting > 0 && isNumber(oldest) ? text("oldest_waits", { oldest: waited(oldest) }) : text("none_waits")];
}

const notKnown = (run) => [count(null), text(run.collector === "csv" ? "not_known_csv" : "not_measured")];

/** The highest second of the stretch; null where nothing is known. */
function mostOf(series, metric, first = 0, after = series.t.length) {
  let most = null;
  for (const values of [series.column(TOTAL, metric, first, after), series.ends(TOTAL, metric, first, after)?.high ?? []]) {
    for (const value of values) if (isNumber(value) && (most === null || value > most)) most = value;
  }
  return most;
}

function generatorOf({ store, run, latest, window }) {
  const { cpu_percent: now, cpu_peak_percent: peak } = run.generator ?? {};
  const over = mostOf(store.series, "cpu_percent") ?? peak ?? now; // the same seconds as in the strip below
  const cpu = window ? window.cpu : isOver(run) ? over : (latest?.health?.cpu_percent ?? now);
  if (cpu === null || cpu === undefined) return ["–", text("cpu_unknown")];
  if (cpu >= HOT_CPU_PERCENT) return [percentage(cpu), text("cpu_hot"), "invalid"];
  if (cpu >= CPU_WARM_PERCENT) return [percentage(cpu), text("cpu_warm"), "invalid"];
  return [percentage(cpu), text("cpu_ok")];
}
