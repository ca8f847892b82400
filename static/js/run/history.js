/** Fetches what the live line does not carry: lines that were switched on, finer steps of a zoom, small pictures. */

import { MAX_POINTS, Series } from "./series.js";
import { MAX_SERIES } from "./store.js";

const COARSE_POINTS = 900; // a history this coarse leaves room for 15 minutes of live seconds
const ZOOM_POINTS = 1_200;
const SPARK_POINTS = 60;
const SPARKS_AT_ONCE = 50;
const MOST_BANDS = 6; // series that are asked for with the extremes of each point; the answer is three times as long
const AGAIN_MS = 5_000;

export class History {
  /**
   * @param {{api: import("./api.js").Api, store: import("./store.js").Store, selection: import("./selection.js").Selection,
   *          onChange: (topics: string[]) => void, onError: (message: string) => void, now?: () => number}} options
   */
  constructor({ api, store, selection, onChange, onError, now }) {
    Object.assign(this, { api, store, selection, onChange, onError });
    this.now = now ?? (() => performance.now());
    this.loading = new Set();
    this.isThinning = false;
    this.zoomed = null;
    this.zoomedAt = -Infinity;
    /** @type {import("./address.js").Window|null} */
    this.window = null;
    this.zoomCount = 0;
    this.hasSparks = false;
  }

  /** What the charts show: the whole run, or the zoomed part in finer steps as soon as it is here. */
  get shown() {
    return this.zoomed ?? this.store.series;
  }

  /** Fetch the lines that are on and not in memory. */
  async ensureLines() {
    if (this.zoomed && [...this.selection.on].some((index) => !this.zoomed.has(index))) this.zoom(this.window);
    const { series } = this.store;
    const wanted = [...this.selection.on].filter((index) => !series.has(index) && !this.loading.has(index));
    if (wanted.length === 0 || series.t.length === 0) return;
    wanted.forEach((index) => this.loading.add(index));
    await this.#try(async () => {
      const { t } = series;
      const answer = await this.api.series(wanted, { from: t[0], to: t[t.length - 1], points: Math.max(600, Math.min(t.length, MAX_POINTS)) });
      this.#dropUnused();
      this.onChange(this.store.mergeSeries(answer));
    });
    wanted.forEach((index) => this.loading.delete(index));
  }

  /** After a snapshot everything that it did not bring is fetched again. */
  afterSnapshot() {
    this.ensureLines();
    this.#fetchSparks();
    this.#fetchBands();
  }

  /** A second came in: finer steps of a window that reaches beyond it are fetched again now and then. */
  heard({ t }) {
    const isOpen = this.zoomed && t <= this.window.to + AGAIN_MS / 1_000;
    return isOpen && this.now() - this.zoomedAt >= AGAIN_MS ? this.#fetchZoom() : undefined;
  }

  /** A long run: the past in coarser steps. Does nothing until there are too many points. */
  async keepSmall() {
    const { store } = this;
    if (store.series.t.length <= MAX_POINTS || this.isThinning) return;
    this.isThinning = true;
    await this.#try(async () => {
      const keys = [null, ...[...this.selection.on].filter((index) => store.series.has(index))];
      this.onChange(store.replaceSeries(await this.#ask(keys, { points: COARSE_POINTS })));
    });
    if (this.selection.on.size >= MOST_BANDS) this.#fetchBands();
    store.series.trim(MAX_POINTS); // also when the server could not be asked
    this.isThinning = false;
  }

  /** @param {import("./address.js").Window|null} window */
  async zoom(window) {
    this.window = window;
    this.zoomCount += 1;
    const isFineEnough = !window || (this.store.series.step === 1 && this.store.series.t[0] <= window.from);
    if (isFineEnough) this.zoomed = null;
    else await this.#fetchZoom();
  }

  async #fetchZoom() {
    this.zoomCount += 1;
    const mine = this.zoomCount;
    this.zoomedAt = this.now();
    await this.#try(async () => {
      const { from, to } = this.window;
      const answer = await this.#ask([null, ...this.selection.on], { from, to, points: ZOOM_POINTS });
      if (mine !== this.zoomCount) return; // a later zoom is under way
      this.zoomed = answer.t.length ? new Series(answer) : null;
      this.onChange(["zoom"]);
    });
  }

  #ask(keys, options) {
    return this.api.series(keys, { ...options, band: keys.length <= MOST_BANDS });
  }

  /** A snapshot brings means; where a point covers more than a second, its lowest and highest second are fetched too. */
  async #fetchBands() {
    const { series } = this.store;
    if (series.step <= 1 || series.t.length === 0) return;
    await this.#try(async () => {
      const points = series.t.length + 2; // as many would be one too few for the same step, wherever the first one begins
      const answer = await this.api.series([null], { from: series.t[0], to: series.last, points, band: true });
      if (series === this.store.series) this.onChange(this.store.mergeSeries(answer));
    });
  }

  /** Once: small pictures for the rows of endpoints whose series were not in the snapshot. */
  async #fetchSparks() {
    const { store } = this;
    if (this.hasSparks) return;
    this.hasSparks = true;
    const missing = [...store.endpoints.values()].filter((endpoint) => endpoint.spark === null);
    for (let start = 0; start < missing.length; start += SPARKS_AT_ONCE) {
      const keys = missing.slice(start, start + SPARKS_AT_ONCE).map((endpoint) => endpoint.index);
      await this.#try(async () => {
        const answer = await this.api.series(keys, { points: SPARK_POINTS, metrics: "rps" });
        for (const { endpoint, rps } of answer.series) store.endpoints.get(endpoint).spark ??= rps;
        this.onChange(["endpoints"]);
      });
    }
  }

  /** Lines that nobody looks at leave when there are too many. */
  #dropUnused() {
    const { series } = this.store;
    for (const key of series.columns.keys()) {
      if (series.columns.size <= MAX_SERIES) return;
      if (typeof key === "number" && !this.selection.has(key)) series.dropKey(key);
    }
  }

  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.onError(error.message);
    }
  }
}
