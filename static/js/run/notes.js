/** Notes at a moment or over a span: where the charts point, or the part of the run that they show. */

import { icon, make, setHidden, setText } from "./dom.js";
import { text } from "./text.js";

const CLICK_HOLDS_MS = 30_000;
const DRAGGED_PX = 4; // further apart, press and release are a stretch of time and no moment

/** Epoch seconds → what a `datetime-local` input holds, in the viewer's zone. */
export function localValue(t) {
  const date = new Date(t * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** What such an input holds → ISO with its zone; null for nothing. */
export function isoOf(value) {
  const date = value ? new Date(value) : null;
  return date && !Number.isNaN(date.getTime()) ? date.toISOString() : null;
}

/**
 * When a note is about, before anybody has changed it: the moment pointed at, else the window shown, else now.
 * @param {{pointed: number|null, window: {from: number, to: number}|null, now: number}} seen epoch seconds
 */
export function spanOf({ pointed, window, now }) {
  if (pointed !== null) return { at: pointed, until: null };
  if (window) return { at: window.from, until: window.to };
  return { at: Math.floor(now), until: null };
}

export class Notes {
  /**
   * @param {HTMLElement} root
   * @param {{api: import("./api.js").Api, charts: import("./charts.js").Charts, now: () => number, onError: (message: string) => void}} options
   *        `now`: the server's clock in epoch milliseconds
   */
  constructor(root, { api, charts, now, onError }) {
    Object.assign(this, { api, charts, now, onError });
    this.dialog = root.querySelector("[data-ask=note]");
    const quick = root.querySelector("[data-note-form]");
    if (!this.dialog || !quick) return;
    this.form = this.dialog.querySelector("form");
    this.form.addEventListener("submit", (event) => this.#submit(event));
    this.dialog.querySelector("[data-cancel]").addEventListener("click", () => this.dialog.close());
    const here = make("button", { class: "btn btn-sm", type: "button", "data-note-here": true, title: text("note_here_hint") },
      icon("pencil"), text("note_here"));
    root.querySelector(".chart-bar")?.append(here);
    for (const button of root.querySelectorAll("[data-note-here]")) button.addEventListener("click", () => this.open(this.clicked));
    this.clicked = null;
    for (const area of root.querySelectorAll("[data-charts], [data-worker-charts]")) this.#rememberClicks(area);
    quick.addEventListener("submit", (event) => this.#quick(event));
    addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {number|null} pointed epoch seconds under the cursor */
  open(pointed) {
    const { at, until } = spanOf({ pointed, window: this.charts.window ?? null, now: this.now() / 1000 });
    const { elements } = this.form;
    elements.at.value = localValue(at);
    elements.until.value = until === null ? "" : localValue(until);
    this.#clear();
    this.dialog.showModal();
    elements.text.focus();
  }

  /** On the way to the button the cursor leaves the chart: where it was clicked is remembered for a while. */
  #rememberClicks(area) {
    let pressedAt = 0;
    area.addEventListener("pointerdown", (event) => (pressedAt = event.clientX));
    area.addEventListener("click", (event) => {
      if (!event.target.closest("[data-plot]")) return;
      this.clicked = Math.abs(event.clientX - pressedAt) > DRAGGED_PX ? null : this.#pointed;
      clearTimeout(this.forgetting);
      this.forgetting = setTimeout(() => (this.clicked = null), CLICK_HOLDS_MS);
    });
  }

  /** The moment under the cursor, epoch seconds; null when it stands nowhere. */
  get #pointed() {
    const { place, series } = this.charts;
    return place === null || place === undefined ? null : (series?.t[place] ?? null);
  }

  /** `n`: a note where the cursor stands. */
  #key(event) {
    const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "n" || isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.open(this.#pointed ?? this.clicked);
  }

  async #submit(event) {
    event.preventDefault();
    const { elements } = this.form;
    const [at, until] = [isoOf(elements.at.value), isoOf(elements.until.value)];
    if (!elements.text.value.trim()) return elements.text.focus();
    this.#clear();
    elements.send.disabled = true;
    try {
      await this.api.post("events/", { text: elements.text.value.trim(), ...(at ? { at } : {}), ...(until ? { until } : {}) });
      elements.text.value = "";
      this.dialog.close();
    } catch (error) {
      this.#refused(error);
    } finally {
      elements.send.disabled = false;
    }
    return undefined;
  }

  /** The line in the tab: of this very moment. */
  async #quick(event) {
    event.preventDefault();
    const form = event.target;
    const field = form.elements.text;
    const button = form.querySelector("[type=submit]");
    if (!field.value.trim()) return;
    button.disabled = true;
    try {
      await this.api.post("events/", { text: field.value.trim() });
      field.value = "";
    } catch (error) {
      this.onError(error.message);
    } finally {
      button.disabled = false;
    }
  }

  #refused(error) {
    let isSaid = false;
    for (const [name, sentences] of Object.entries(error.fields ?? {})) {
      const line = this.form.querySelector(`[data-error="${name}"]`);
      if (!line) continue;
      setText(line, sentences.join(" "));
      setHidden(line, false);
      isSaid = true;
    }
    if (isSaid) return;
    const line = this.form.querySelector("[data-error=all]");
    setText(line, error.message || text("not_sent"));
    setHidden(line, false);
  }

  #clear() {
    for (const line of this.form.querySelectorAll("[data-error]")) setHidden(line, true);
  }
}
