/**
 * How response times are spread: the grid of the heatmap and the histogram of what is shown.
 *
 * Of all endpoints both grow with the sketch of each second that the live line brings; of one endpoint, or without a
 * live line, the server is asked again every few seconds, and only while somebody can see it.
 */

import { isOver } from "./phase.js";
import { Grid } from "./grid.js";
import { eachBucket } from "./sketch.js";

const AGAIN_MS = 5_000;
const HEATMAP_COLUMNS = 300;
const HEATMAP_ROWS = 48;
const BINS = 60;

export class Responses {
  /**
   * @param {{api: import("./api.js").Api, store: import("./store.js").Store, onChange: (topics: string[]) => void,
   *          onError: (message: string) => void, now?: () => number, isSeen?: () => boolean}} options
   */
  constructor({ api, store, onChange, onError, now, isSeen }) {
    Object.assign(this, { api, store, onChange, onError });
    this.now = now ?? (() => performance.now());
    this.isSeen = isSeen ?? (() => !document.hidden);
    /** Null: all of them. @type {number|null} */
    this.endpoint = null;
    /** @type {import("./address.js").Window|null} */
    this.window = null;
    this.#forget();
    this.question = 0;
    this.askedAt = -Infinity;
    this.isAsking = false;
  }

  /** Stock Locust's files hold no spread of response times. */
  get isKnown() {
    return this.store.run?.collector !== "csv";
  }

  /** @param {number|null} endpoint */
  choose(endpoint) {
    if (endpoint === this.endpoint) return undefined;
    this.endpoint = endpoint;
    this.#forget();
    this.onChange(["responses"]);
    return this.fetch();
  }

  /** @param {import("./address.js").Window|null} window */
  show(window) {
    this.window = window;
    this.#forget();
    return this.fetch();
  }

  /** A second came in. @param {{t: number, sketch: number[]|null}} tick */
  heard(tick) {
    if (!this.isKnown) return undefined;
    if (this.#grows(tick)) {
      this.#add(tick);
      this.onChange(["responses"]);
      return undefined;
    }
    const isDue = this.now() - this.askedAt >= AGAIN_MS && this.isSeen();
    return isDue && this.#reaches(tick.t) ? this.fetch() : undefined;
  }

  async fetch() {
    if (!this.isKnown || !this.store.latest) return;
    this.question += 1;
    const mine = this.question;
    this.askedAt = this.now();
    const until = this.store.latest.t;
    const endpoint = this.endpoint === null ? {} : { endpoint: String(this.endpoint) };
    const to = this.window ? Math.min(this.window.to, until) : isOver(this.store.run) ? undefined : until;
    if (this.window && this.window.from > until) return;
    const stretch = { ...endpoint, from: this.window?.from, to };
    try {
      const [heat, histogram] = await Promise.all([
        this.api.get("heatmap/", { ...stretch, columns: HEATMAP_COLUMNS, rows: HEATMAP_ROWS }),
        this.api.get("distribution/", { ...stretch, bins: BINS }),
      ]);
      if (mine !== this.question) return; // something else is wanted by now
      this.heat = new Grid(heat);
      this.histogram = new Grid(oneColumn(histogram));
      this.isLoaded = true;
      for (const tick of this.store.recent) if (tick.t > until && this.#grows(tick)) this.#add(tick);
      this.onChange(["responses"]);
    } catch (error) {
      if (mine === this.question) this.onError(error.message);
    }
  }

  #forget() {
    this.heat = new Grid();
    this.histogram = new Grid();
    this.isLoaded = false;
  }

  #grows(tick) {
    return this.endpoint === null && this.isLoaded && Boolean(tick.sketch && this.store.mapping) && this.#reaches(tick.t);
  }

  #reaches(t) {
    return !this.window || (t >= this.window.from && t <= this.window.to + AGAIN_MS / 1_000);
  }

  #add({ t, sketch }) {
    if (this.window && t > this.window.to) return;
    const times = [];
    eachBucket(this.store.mapping, sketch, (ms, count) => times.push([ms, count]));
    this.heat.add(t, times);
    this.histogram.add(this.histogram.start, times);
  }
}

/** A histogram as a grid of one endless column. */
function oneColumn({ edges_ms, counts }) {
  return { step_s: Number.MAX_SAFE_INTEGER, t: [0], edges_ms, counts: [counts] };
}
