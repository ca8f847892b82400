/**
 * Whose log is shown: the run's own, which comes with the live line, or that of one worker, which is asked for while
 * somebody looks at it.
 */

import { make, setHidden } from "./dom.js";
import { oneLine } from "./format.js";
import { grow } from "./loglines.js";
import { isOver } from "./phase.js";
import { text } from "./text.js";
import { numberOf } from "./workers.js";

const AGAIN_MS = 2_000; // as a page without a socket asks for everything

export class LogSource {
  /**
   * @param {HTMLSelectElement} select
   * @param {{api: import("./api.js").Api, store: import("./store.js").Store, onChoice: (worker: number|null) => void,
   *          onChange: (topics: string[]) => void, onError: (message: string) => void, now?: () => number}} options
   */
  constructor(select, { api, store, onChoice, onChange, onError, now }) {
    Object.assign(this, { select, api, store, onChange, onError });
    this.now = now ?? (() => performance.now());
    /** Index of the worker whose log is shown; null: the run's. @type {number|null} */
    this.worker = null;
    /** One that an address asked for, until it is known whether there is such a one. @type {number|null} */
    this.wanted = null;
    this.log = null;
    this.choices = 0;
    this.askedAt = -Infinity;
    select?.addEventListener("change", () => {
      this.choose(select.value === "" ? null : Number(select.value));
      onChoice(this.worker);
    });
  }

  /** What `LogTail` renders. */
  get shown() {
    return this.log ?? this.store.log;
  }

  /** @param {number|null} worker its index */
  choose(worker) {
    this.wanted = worker;
    const isThere = worker !== null && this.#workers.some(({ index }) => index === worker);
    this.#turn(isThere ? worker : null);
  }

  /** Which workers there are to choose from. */
  offer() {
    const list = this.#workers;
    const offered = list.map(({ index, host }) => `${index} ${host}`).join("\n");
    if (offered !== this.offered) {
      this.offered = offered;
      const [own] = this.select.options;
      this.select.replaceChildren(own, ...list.map((worker) =>
        make("option", { value: worker.index, text: text("worker_on", { number: numberOf(worker), host: oneLine(worker.host, 60) }) })));
      setHidden(this.select, list.length === 0);
      this.choose(this.wanted);
    }
    const value = this.worker === null ? "" : String(this.worker);
    if (this.select.value !== value) this.select.value = value;
  }

  /** Somebody looks at it: ask for what is new, now and then; once more when the run is over. */
  look() {
    const isLast = isOver(this.store.run);
    const isDue = this.log && !this.isComplete && !this.isAsking && this.now() - this.askedAt >= AGAIN_MS;
    return isDue ? this.#ask(this.log, isLast) : undefined;
  }

  /** Of a run of one process its log is the run's. */
  get #workers() {
    return this.store.workers.length > 1 ? this.store.workers : [];
  }

  #turn(worker) {
    if (worker === this.worker) return;
    this.choices += 1;
    Object.assign(this, { worker, askedAt: -Infinity, isComplete: false, isAsking: false });
    this.log = worker === null ? null : { seq: 0, from: 0, lines: [], generation: `worker ${this.choices}`, isLoading: true };
    this.onChange(["log"]);
    this.look();
  }

  async #ask(log, isLast) {
    this.isAsking = true;
    this.askedAt = this.now();
    try {
      const { seq, lines } = await this.api.get("log/", { worker: this.worker, after: log.seq });
      if (log !== this.log) return; // somebody has chosen another one meanwhile
      grow(log, seq, lines);
      this.isComplete = isLast;
    } catch (error) {
      if (log !== this.log) return;
      this.isComplete = error.status >= 400 && error.status < 500; // asking again would not help
      this.onError(error.message);
    }
    Object.assign(log, { isLoading: false });
    this.isAsking = false;
    this.onChange(["log"]);
  }
}
