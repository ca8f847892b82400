/** Everything the page knows of the run. Messages go in, the names of what changed come out; no DOM, no network. */

import { Palette } from "./colors.js";
import { MAX_LINES, grow } from "./loglines.js";
import { isOver } from "./phase.js";
import { HEALTH, Series, TOTAL } from "./series.js";
import { Rates } from "./workers.js";

/** Series that are kept in memory at once, besides the total. */
export const MAX_SERIES = 60;
const MAX_EVENTS = 1_000;
const RECENT_TICKS = 30; // bridges the time a fetch of history takes
const SPARK_POINTS = 60;
const SMOOTH_SECONDS = 3; // of the big number; short enough to see a change at once
export const RATE_SECONDS = 5; // "now" in the table is a mean over this, steadier than one second

/**
 * @typedef {{index: number, method: string, name: string, label: string, totals: object, look: {color: number, dash: number},
 *            spark: (number|null)[]|null}} Endpoint
 */

export class Store {
  constructor() {
    this.run = null;
    /** @type {Map<number, Endpoint>} */
    this.endpoints = new Map();
    this.series = new Series();
    this.latest = null;
    this.failures = [];
    this.exceptions = [];
    this.events = [];
    /** The Locust processes, as `workers/` tells them. */
    this.workers = [];
    this.rates = new Rates();
    /** `from` counts the lines that were dropped at the top, so that a reader can tell which lines are new. */
    this.log = { seq: 0, from: 0, lines: [], generation: 0 };
    this.clockOffset = 0;
    /** What the buckets of a sketch mean. @type {import("./sketch.js").Mapping|null} */
    this.mapping = null;
    this.palette = new Palette();
    this.lastRequestT = null;
    this.firstUsersT = null;
    this.recent = [];
  }

  /** The server's clock now, in epoch milliseconds. */
  now() {
    return Date.now() + this.clockOffset;
  }

  setClock(iso) {
    const then = Date.parse(iso);
    if (!Number.isNaN(then)) this.clockOffset = then - Date.now();
  }

  /** @returns {string[]} topics that changed */
  apply(message) {
    switch (message.type) {
      case "snapshot": return this.#snapshot(message);
      case "tick": return this.#tick(message);
      case "endpoints": return this.#learn(message.endpoints);
      case "state":
        if (message.now) this.setClock(message.now);
        this.run = { ...this.run, ...message.run };
        return ["run"];
      case "event": return this.#event(message.event);
      case "workers": return this.#setWorkers(message.workers);
      case "tables":
        this.failures = message.failures ?? this.failures;
        this.exceptions = message.exceptions ?? this.exceptions;
        return ["failures", "exceptions"];
      case "log": return this.#logLines(message);
      default: return [];
    }
  }

  /** Seconds for which users have been waiting and nothing completed; 0 when all is well. */
  get stalledFor() {
    if (!this.run || isOver(this.run) || this.run.state !== "running") return 0;
    if (!this.latest || !(this.latest.users > 0)) return 0;
    if (this.latest.health?.in_flight === 0) return 0; // nobody waits: the script takes its time
    const since = Math.max(this.lastRequestT ?? -Infinity, this.firstUsersT ?? -Infinity);
    return Number.isFinite(since) ? Math.max(0, this.latest.t - since) : 0;
  }

  /** Whether anything has been measured. */
  get hasRequests() {
    return this.lastRequestT !== null || (this.run?.totals?.requests ?? 0) > 0;
  }

  /** Requests a second over the last seconds, steadier to read than one second alone. */
  get recentRate() {
    const rates = this.series.column(TOTAL, "rps", this.series.t.length - SMOOTH_SECONDS).filter((value) => value !== null);
    return rates.length ? rates.reduce((sum, value) => sum + value, 0) / rates.length : null;
  }

  /** Replace the history by another cut of it; seconds that came while it was fetched are put back on. */
  replaceSeries(wire) {
    this.series = new Series(wire);
    for (const tick of this.recent) this.series.append(tick);
    return ["series"];
  }

  mergeSeries(wire) {
    this.series.merge(wire);
    return ["series"];
  }

  #snapshot(message) {
    if (message.now) this.setClock(message.now);
    this.run = message.run;
    this.mapping = message.sketch ?? this.mapping;
    this.recent = [];
    this.series = new Series(message.series);
    this.failures = message.failures ?? [];
    this.exceptions = message.exceptions ?? [];
    this.events = [...(message.events ?? [])].sort(byId);
    this.#setWorkers(message.workers ?? this.workers);
    const log = message.log ?? { seq: 0, lines: [] };
    this.log = { seq: log.seq, from: 0, lines: log.lines.slice(-MAX_LINES), generation: this.log.generation + 1 };
    this.#learn(message.endpoints ?? []);
    this.#readLatest();
    return ["run", "endpoints", "series", "failures", "exceptions", "events", "workers", "log"];
  }

  #setWorkers(workers) {
    this.workers = workers;
    this.rates.heard(workers, this.now());
    return ["workers"];
  }

  /** What the last ticks would have said, read off the history. */
  #readLatest() {
    const { t } = this.series;
    const at = (metric, place) => this.series.at(TOTAL, metric, place);
    this.latest = null;
    this.lastRequestT = null;
    this.firstUsersT = null;
    for (let place = t.length - 1; place >= 0; place -= 1) {
      if (at("rps", place) === null) continue;
      this.latest ??= {
        t: t[place], users: at("users", place) ?? this.run.current_users ?? 0,
        total: { requests: at("rps", place), failures: at("failures_per_s", place), p95_ms: at("p95_ms", place) },
        health: at("in_flight", place) === null ? null : Object.fromEntries(HEALTH.map((name) => [name, at(name, place)])),
      };
      if (at("rps", place) > 0) {
        this.lastRequestT ??= t[place];
        break;
      }
      if (at("users", place) > 0) this.firstUsersT = t[place];
    }
    if (this.lastRequestT !== null) this.firstUsersT = this.lastRequestT;
  }

  #tick(message) {
    const t = Math.floor(Date.parse(message.t) / 1000);
    const rows = new Map(message.rows.map((row) => [row.endpoint, row]));
    const total = message.total ?? { requests: 0, failures: 0 };
    const tick = { t, users: message.users, total, rows, health: message.health ?? null, sketch: message.sketch ?? null };
    if (!this.series.append(tick)) return [];
    this.recent.push(tick);
    if (this.recent.length > RECENT_TICKS) this.recent.shift();
    this.latest = tick;
    if (total.requests > 0) this.lastRequestT = t;
    if (message.users > 0) this.firstUsersT ??= t;
    else this.firstUsersT = null;
    for (const endpoint of this.endpoints.values()) {
      endpoint.spark ??= [];
      endpoint.spark.push(rows.get(endpoint.index)?.requests ?? 0);
      if (endpoint.spark.length > SPARK_POINTS) endpoint.spark.shift();
    }
    return ["tick", "series"];
  }

  #learn(endpoints) {
    for (const { index, method, name, totals, locust = null, difference = null } of endpoints) {
      const before = this.endpoints.get(index);
      if (before) {
        before.totals = totals ?? before.totals;
        Object.assign(before, { locust, difference });
        continue;
      }
      const label = method ? `${method} ${name}` : name;
      const look = this.palette.lookOf(label);
      this.endpoints.set(index, { index, method, name, label, totals: totals ?? {}, locust, difference, look, spark: this.#sparkOf(index) });
      // Announced while the run goes on: its past is empty, so it can be followed without asking the server.
      const isNew = this.latest !== null && this.recent.length > 0;
      if (isNew && this.series.columns.size <= MAX_SERIES && !this.series.has(index)) this.series.addKey(index);
    }
    return ["endpoints"];
  }

  #sparkOf(index) {
    return this.series.has(index) ? this.series.column(index, "rps", Math.max(0, this.series.t.length - SPARK_POINTS)) : null;
  }

  #event(event) {
    if (this.events.some((known) => known.id === event.id)) return [];
    this.events.push(event);
    this.events.sort(byId);
    if (this.events.length > MAX_EVENTS) this.events.shift();
    return ["events"];
  }

  #logLines({ seq, lines }) {
    if (seq <= this.log.seq && this.log.seq !== 0) return [];
    grow(this.log, seq, lines);
    return ["log"];
  }
}

/** Ids sort by time of creation. */
const byId = (a, b) => (a.id < b.id ? -1 : Number(a.id > b.id));
