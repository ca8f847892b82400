/**
 * The window of time that the page shows, and every figure of it: of the whole run as the live line brings them, of a
 * window as the server counts them.
 */

import { isOver } from "./phase.js";

const AGAIN_MS = 5_000;
const NONE = { requests: 0, failures: 0, rps: 0, bytes: 0 };

export class Figures {
  /**
   * @param {{api: import("./api.js").Api, store: import("./store.js").Store, onChange: (topics: string[]) => void,
   *          onError: (message: string) => void, now?: () => number}} options
   */
  constructor({ api, store, onChange, onError, now }) {
    Object.assign(this, { api, store, onChange, onError });
    this.now = now ?? (() => performance.now());
    /** @type {import("./address.js").Window|null} */
    this.window = null;
    /** The server's answer about the window, as soon as it is here. */
    this.summary = null;
    this.byEndpoint = new Map();
    this.question = 0;
    this.askedAt = -Infinity;
  }

  /** @param {import("./address.js").Window|null} window */
  show(window) {
    this.window = window;
    this.summary = null;
    this.byEndpoint = new Map();
    this.question += 1;
    return window ? this.fetch() : undefined;
  }

  /** A second came in: a window that reaches beyond it is counted anew now and then. */
  heard({ t }) {
    const isOpen = this.window && t >= this.window.from && t <= this.window.to + AGAIN_MS / 1_000;
    return isOpen && this.now() - this.askedAt >= AGAIN_MS ? this.fetch() : undefined;
  }

  async fetch() {
    this.question += 1;
    const mine = this.question;
    this.askedAt = this.now();
    try {
      const answer = await this.api.get("summary/", { from: this.window.from, to: this.window.to });
      if (mine !== this.question) return;
      this.summary = answer;
      this.byEndpoint = new Map(answer.endpoints.map((one) => [one.index, one.totals]));
      this.onChange(["figures"]);
    } catch (error) {
      if (mine === this.question) this.onError(error.message);
    }
  }

  /** Totals of all endpoints; {} while they are on their way. */
  get totals() {
    if (!this.window) return this.store.run?.totals ?? {};
    return this.summary ? { ...NONE, ...this.summary.totals } : {};
  }

  /** @param {import("./store.js").Endpoint} endpoint */
  totalsOf(endpoint) {
    if (!this.window) return endpoint.totals;
    return this.summary ? (this.byEndpoint.get(endpoint.index) ?? NONE) : {};
  }

  /** Whether totals stand for what is shown, rather than the newest second: of a window, and of a run that is over. */
  get isSettled() {
    return Boolean(this.window) || Boolean(this.store.run && isOver(this.store.run));
  }

  /** Failures with how often they occurred in what is shown. Null: not known for a window. */
  get failures() {
    if (!this.window) return this.store.failures;
    if (!this.summary) return this.store.failures;
    if (!this.summary.failures) return null;
    const times = new Map(this.summary.failures.map((one) => [one.index, one.occurrences]));
    return this.store.failures
      .filter((row) => times.get(row.index) > 0)
      .map((row) => ({ ...row, occurrences: times.get(row.index) }));
  }
}
