/** Figures over time of each worker: asked for one by one, again every few seconds while somebody looks at them. */

import { isOver } from "./phase.js";
import { merged } from "./workers.js";

export const METRICS = ["rps", "users", "cpu_percent", "lag_ms", "rss_bytes"];
export const MOST_LINES = 32; // more could not be told apart
const AGAIN_MS = 5_000;
const AGAIN_MS_EACH = 500; // many workers are asked after more seldom
const AT_ONCE = 4;
const POINTS = 300;

export class WorkerLines {
  /**
   * @param {{api: import("./api.js").Api, store: import("./store.js").Store, onChange: (topics: string[]) => void,
   *          onError: (message: string) => void, now?: () => number}} options
   */
  constructor({ api, store, onChange, onError, now }) {
    Object.assign(this, { api, store, onChange, onError });
    this.now = now ?? (() => performance.now());
    this.shown = { t: [], step: 1, lines: new Map() };
    this.asked = "";
    this.askedAt = -Infinity;
    this.isAsking = false;
  }

  /** Somebody looks at them. @param {import("./address.js").Window|null} window */
  look(window) {
    const { store } = this;
    const indexes = store.workers.slice(0, MOST_LINES).map(({ index }) => index);
    const wanted = JSON.stringify([window, isOver(store.run), indexes]);
    const every = Math.max(AGAIN_MS, AGAIN_MS_EACH * indexes.length);
    const isOld = !isOver(store.run) && this.now() - this.askedAt >= every;
    if (this.isAsking || indexes.length < 2 || !store.hasRequests || (wanted === this.asked && !isOld)) return undefined;
    this.asked = wanted;
    return this.#fetch(indexes, window);
  }

  async #fetch(indexes, window) {
    this.isAsking = true;
    this.askedAt = this.now();
    const { last } = this.store.series; // the same end for all of them, and with it the same step
    const ends = window ?? (Number.isFinite(last) ? { to: last } : {});
    const answers = new Map();
    const rest = [...indexes];
    const ask = async () => {
      for (let index = rest.shift(); index !== undefined; index = rest.shift()) {
        answers.set(index, await this.api.get("series/", { worker: index, metrics: METRICS.join(), points: POINTS, ...ends }));
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, ask));
      this.shown = merged(answers, METRICS);
      this.onChange(["workers"]);
    } catch (error) {
      this.onError(error.message);
    } finally {
      this.isAsking = false;
    }
  }
}
