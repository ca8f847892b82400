/** The line on top and the five big numbers. */

import { icon, setHidden, setText } from "./dom.js";
import { count, duration, moment, ms, percentage, rate, share, utc } from "./format.js";
import { askedUsers, elapsed, isOver, phaseOf } from "./phase.js";
import { text } from "./text.js";

const CPU_WARM_PERCENT = 75; // of one core: from here on Locust's own numbers begin to suffer
const CPU_HOT_PERCENT = 90;

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

  /** @param {import("./store.js").Store} store */
  render(store) {
    const { run } = store;
    this.#badge(run);
    this.#number("users", ...usersOf(store));
    this.#number("rps", ...rateOf(store));
    this.#number("failed", ...failedOf(store), run.totals?.failures > 0 ? "failed" : "");
    this.#number("p95", ...latencyOf(store));
    this.#number("generator", ...generatorOf(run));
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

/** Each returns what to show large and what below. */
function usersOf(store) {
  const { run, latest } = store;
  if (isOver(run)) return [count(run.peak_users ?? run.users), text("peak_users", { users: count(mostAsked(run)) })];
  const second = run.started_at ? elapsed(run, store.now()) : 0;
  const asked = run.stages?.length ? askedUsers(run, second) : run.users;
  return [count(latest?.users ?? run.current_users ?? 0), text("of_users", { users: count(asked) })];
}

const mostAsked = (run) => Math.max(run.users ?? 0, ...(run.stages ?? []).map((stage) => stage.users));

function rateOf({ run, latest, recentRate }) {
  const value = isOver(run) || !latest ? run.totals?.rps : recentRate;
  return [rate(value), text("requests_total", { count: count(run.totals?.requests) })];
}

function failedOf({ run }) {
  const { requests, failures } = run.totals ?? {};
  return [share(failures, requests), text("failures_total", { count: count(failures), all: count(requests) })];
}

function latencyOf({ run, latest }) {
  const { p50_ms, p95_ms, p99_ms } = run.totals ?? {};
  if (isOver(run)) return [ms(p95_ms), text("p50_p99", { p50: ms(p50_ms), p99: ms(p99_ms) })];
  return [ms(latest?.total?.p95_ms), text("over_run", { value: ms(p95_ms) })];
}

function generatorOf(run) {
  const cpu = isOver(run) ? (run.generator?.cpu_peak_percent ?? run.generator?.cpu_percent) : run.generator?.cpu_percent;
  if (cpu === null || cpu === undefined) return ["–", text("cpu_unknown")];
  if (cpu >= CPU_HOT_PERCENT) return [percentage(cpu), text("cpu_hot"), "invalid"];
  if (cpu >= CPU_WARM_PERCENT) return [percentage(cpu), text("cpu_warm"), "invalid"];
  return [percentage(cpu), text("cpu_ok")];
}
