/** Change a running test: users, spawn rate, pause, length. Nothing is shown but what the server says. */

import { setHidden, setText } from "./dom.js";
import { pausedSince } from "./events.js";
import { count, duration, time, utc } from "./format.js";
import { elapsed, goalOf, isOver } from "./phase.js";
import { text } from "./text.js";

/**
 * Why something cannot be changed now: the name of a sentence, or "" when it can. Pure.
 * @param {"users"|"time"} what a shape of the script's own decides about users, not about the length
 */
export function hindrance(run, what = "users") {
  if (isOver(run)) return "over";
  if (run.state === "queued" || run.state === "claimed") return "queued";
  if (run.state === "stopping") return "stopping";
  return run.steering?.own_shape && what === "users" ? "own_shape" : "";
}

/** What the fields of a form ask for; only what differs from now. Pure. */
export function wishOf(fields, now) {
  const wish = {};
  for (const [name, typed] of Object.entries(fields)) {
    const value = typed.trim();
    if (value === String(now[name] ?? "")) continue;
    wish[name] = name !== "run_time" && value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
  }
  return wish;
}

export class Steering {
  /**
   * @param {HTMLElement} root
   * @param {{api: import("./api.js").Api, onRun: (run: object) => void, onError: (message: string) => void}} options
   */
  constructor(root, { api, onRun, onError }) {
    Object.assign(this, { root, api, onRun, onError });
    this.bar = root.querySelector("[data-steer]");
    this.band = root.querySelector("[data-paused]");
    this.run = null;
    this.isBusy = false;
    if (!this.bar) return;
    this.pause = this.bar.querySelector("[data-steer-pause]");
    this.menus = [...this.bar.querySelectorAll("details")];
    for (const menu of this.menus) menu.addEventListener("toggle", () => menu.open && this.#open(menu));
    for (const form of this.bar.querySelectorAll("form")) form.addEventListener("submit", (event) => this.#submit(event));
    for (const button of [this.pause, this.band.querySelector("[data-resume]")]) {
      button.addEventListener("click", () => this.#send({ paused: !this.run.steering?.is_paused }, null));
    }
    this.bar.addEventListener("click", (event) => {
      const more = event.target.closest("[data-longer]");
      if (more) this.#send({ run_time: this.run.run_time_s + Number(more.dataset.longer) }, more.closest("form"));
      if (event.target.closest("[data-end-now]")) this.#endNow();
    });
  }

  /** @param {import("./store.js").Store} store */
  render(store) {
    const { run } = store;
    this.store = store;
    this.run = run;
    const isPaused = Boolean(run.steering?.is_paused) && !isOver(run);
    setHidden(this.band, !isPaused);
    if (isPaused) this.#sayPaused(store);
    if (!this.bar) return;
    const reason = hindrance(run);
    setHidden(this.bar, reason === "over" || !run.steering);
    if (reason === "over") for (const menu of this.menus) menu.open = false;
    setText(this.bar.querySelector("[data-users-label]"), this.#usersLabel(store));
    setText(this.bar.querySelector("[data-time-label]"), duration(run.run_time_s));
    setText(this.pause.querySelector("[data-label]"), text(isPaused ? "resume" : "pause"));
    const use = this.pause.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, isPaused ? "#play" : "#pause"));
    for (const part of this.bar.children) this.#setAble(part, hindrance(run, part.dataset.steers));
    const here = text("steer_users_now", { now: count(store.latest?.users ?? run.current_users), wanted: count(this.#goal(store).users) });
    setText(this.bar.querySelector("[data-users-now]"), here);
    setHidden(this.bar.querySelector("[data-stages-note]"), !run.stages?.length);
    setText(this.bar.querySelector("[data-time-now]"), text("steer_time_now", {
      elapsed: duration(elapsed(run, store.now())), planned: duration(run.run_time_s),
    }));
  }

  /** Once a second: the pause goes on, and with stages what is wanted changes. */
  tick() {
    if (this.store?.run) this.render(this.store);
  }

  #goal(store) {
    return goalOf(store.run, elapsed(store.run, store.now()));
  }

  #usersLabel(store) {
    return text("steer_label", { users: count(this.#goal(store).users) });
  }

  /** Where nothing can be changed the reason is in the menu, and on the button for those who point at it. */
  #setAble(part, reason) {
    const sentence = reason ? text(`steer_${reason}`, { shape: this.run.steering?.own_shape ?? "" }) : "";
    const line = part.querySelector("[data-reason]");
    setText(line, sentence);
    setHidden(line, !sentence);
    const able = part.querySelector("fieldset") ?? part;
    able.disabled = Boolean(sentence) || this.isBusy;
    (part.querySelector("summary") ?? part).title = sentence;
  }

  #sayPaused(store) {
    const since = pausedSince(store.events);
    const words = this.band.querySelector("[data-words]");
    setText(words, since ? text("paused_since", {
      time: time(since), lasted: duration(Math.max(0, (store.now() - Date.parse(since)) / 1000)),
    }) : "");
    words.title = since ? utc(since) : "";
  }

  /** A menu opens with what holds now; what is typed then stays, whatever happens meanwhile. */
  #open(menu) {
    this.#clear(menu);
    const { users, rate } = this.#goal(this.store);
    this.now = { users: String(users), spawn_rate: String(rate), run_time: duration(this.run.run_time_s) };
    for (const input of menu.querySelectorAll("input")) input.value = input.name === "run_time" ? "" : this.now[input.name];
    const first = menu.querySelector("input:enabled");
    first?.focus();
    first?.select();
  }

  #submit(event) {
    event.preventDefault();
    const form = event.target;
    const fields = Object.fromEntries([...form.querySelectorAll("input")].map((input) => [input.name, input.value]));
    const wish = wishOf(fields, form.querySelector("[name=run_time]") ? {} : this.now);
    if (Object.keys(wish).length) this.#send(wish, form);
    else form.closest("details").open = false;
  }

  async #send(wish, form) {
    if (this.isBusy) return;
    this.isBusy = true;
    if (form) this.#clear(form);
    const shown = document.activeElement;
    this.render(this.store);
    try {
      const run = await this.api.patch("", wish);
      if (form) form.closest("details").open = false;
      this.onRun(run);
      if (form) form.closest("details").querySelector("summary").focus();
    } catch (error) {
      this.#refused(error, form);
    } finally {
      this.isBusy = false;
      this.render(this.store);
      if (!form?.closest("details").matches(":not([open])")) shown?.focus?.();
    }
  }

  /** The server's sentences, each under its field; what belongs to none on top. */
  #refused(error, form) {
    let isSaid = false;
    for (const [name, sentences] of Object.entries(error.fields ?? {})) {
      const line = form?.querySelector(`[data-error="${name}"]`);
      if (!line) continue;
      setText(line, sentences.join(" "));
      setHidden(line, false);
      form.querySelector(`[name="${name}"]`)?.setAttribute("aria-invalid", "true");
      isSaid = true;
    }
    if (isSaid) return;
    const line = form?.querySelector("[data-error=all]");
    if (!line) return void this.onError(error.message);
    setText(line, error.message);
    setHidden(line, false);
  }

  #clear(part) {
    for (const line of part.querySelectorAll("[data-error]")) {
      setText(line, "");
      setHidden(line, true);
    }
    for (const input of part.querySelectorAll("input")) input.removeAttribute("aria-invalid");
  }

  /** The way to stop is the same from everywhere: the button asks once more. */
  #endNow() {
    for (const menu of this.menus) menu.open = false;
    const stop = this.root.querySelector("[data-act=stop]");
    stop.click();
    stop.focus();
  }
}

