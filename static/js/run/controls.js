/** Stop, abort, run again: what those may do who may control the run. */

import { setHidden, setText } from "./dom.js";
import { isOver } from "./phase.js";
import { text } from "./text.js";

const SURE_MS = 4_000;
const NOT_MEANT_MS = 1_200;

export class Controls {
  /**
   * @param {HTMLElement} root
   * @param {{api: import("./api.js").Api, onError: (message: string) => void}} options
   */
  constructor(root, { api, onError }) {
    this.root = root;
    this.api = api;
    this.onError = onError;
    this.stop = root.querySelector("[data-act=stop]");
    this.more = root.querySelector("[data-act-menu]");
    this.again = root.querySelector("[data-act=again]");
    this.isSure = false;
    this.hasAsked = false;
    this.stop?.addEventListener("click", () => this.#stopClicked());
    root.querySelector("[data-act=abort]")?.addEventListener("click", () => this.#askAbort());
    this.again?.addEventListener("click", () => this.#runAgain());
  }

  render(run) {
    this.run = run;
    if (!this.stop && !this.again) return;
    const isStopping = run.state === "stopping" || this.hasAsked;
    setHidden(this.stop, isOver(run));
    setHidden(this.more, isOver(run) || run.state === "queued");
    this.#offerAgain(isOver(run));
    if (!this.stop) return;
    this.stop.disabled = isStopping;
    const [word, sure] = run.state === "queued" ? ["cancel", "cancel_sure"] : ["stop", "stop_sure"];
    setText(this.stop.querySelector("[data-label]"), text(isStopping ? "stopping" : this.isSure ? sure : word));
    this.stop.classList.toggle("btn-danger", this.isSure && !isStopping);
  }

  /** It appears where Stop was: for a moment it takes no click that was meant for Stop. */
  #offerAgain(isOffered) {
    if (!this.again || this.again.hidden !== isOffered) return;
    setHidden(this.again, !isOffered);
    this.again.disabled = true;
    setTimeout(() => (this.again.disabled = false), NOT_MEANT_MS);
  }

  #stopClicked() {
    if (this.isSure) {
      this.isSure = false;
      this.hasAsked = true;
      this.#act(() => this.api.post("stop/"), () => (this.hasAsked = false));
    } else {
      this.isSure = true;
      setTimeout(() => {
        this.isSure = false;
        this.render(this.run);
      }, SURE_MS);
    }
    this.render(this.run);
  }

  #askAbort() {
    this.more.open = false;
    const dialog = this.root.querySelector("[data-ask=abort]");
    dialog.returnValue = "";
    dialog.onclose = () => dialog.returnValue === "yes" && this.#act(() => this.api.post("abort/"));
    dialog.showModal();
  }

  #runAgain() {
    const { run } = this;
    const { scenario, version } = this.root.dataset;
    const wish = {
      scenario, version: Number(version), users: run.users, spawn_rate: run.spawn_rate, run_time: run.run_time_s,
      ...(run.stages?.length ? { stages: run.stages } : {}),
      ...(run.host ? { host: run.host } : {}),
      ...(run.env ? { env: run.env } : {}),
      ...(run.tags?.length ? { tags: run.tags } : {}),
      labels: run.labels ?? {}, note: run.note ?? "",
    };
    this.again.disabled = true;
    this.#act(async () => {
      const fresh = await this.api.post("../", wish, { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) });
      location.assign(new URL(fresh.url, location.href).pathname);
    }, () => (this.again.disabled = false));
  }

  async #act(act, onFailure = () => {}) {
    try {
      await act();
    } catch (error) {
      onFailure();
      this.render(this.run);
      this.onError(error.message);
    }
  }
}
