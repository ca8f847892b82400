/** Stands in for the socket where there is none: asks REST every two seconds and speaks the same messages. */

const EVERY_MS = 2_000;
const EVERY_MS_WHEN_OVER = 15_000;

export class Poller {
  /**
   * @param {{api: import("./api.js").Api, run: () => object|null, isOver: () => boolean, seriesKeys: () => number[],
   *          onMessage: (message: object) => void, onError: (error: Error) => void}} options
   */
  constructor({ api, run, isOver, seriesKeys, onMessage, onError }) {
    Object.assign(this, { api, run, isOver, seriesKeys, onMessage, onError });
    this.isOn = false;
    this.logSeq = 0;
    this.logLines = [];
  }

  start() {
    if (this.isOn) return;
    this.isOn = true;
    this.logSeq = 0;
    this.logLines = [];
    this.#round();
  }

  stop() {
    this.isOn = false;
  }

  async #round() {
    if (!this.isOn) return;
    try {
      const message = await this.#ask();
      if (this.isOn) this.onMessage(message);
    } catch (error) {
      if (this.isOn) this.onError(error);
    }
    setTimeout(() => this.#round(), this.isOver() ? EVERY_MS_WHEN_OVER : EVERY_MS);
  }

  async #ask() {
    const { api } = this;
    const [run, endpoints, series, failures, exceptions, events, workers, log] = await Promise.all([
      api.get(),
      api.rows("endpoints/"),
      api.series([null, ...this.seriesKeys()]),
      api.rows("failures/"),
      api.rows("exceptions/"),
      api.rows("events/"),
      api.rows("workers/"),
      api.get("log/", { after: this.logSeq }),
    ]);
    this.logSeq = log.seq ?? this.logSeq;
    this.logLines = [...this.logLines, ...(log.lines ?? [])].slice(-2_000);
    return {
      type: "snapshot", run: { ...this.run(), ...run }, endpoints, series, failures, exceptions, events, workers,
      log: { seq: this.logSeq, lines: this.logLines },
    };
  }
}
