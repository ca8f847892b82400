/** The legend of the endpoint charts: which lines there are, what they are worth under the cursor, and a way to others. */

import { make, setText, swatch } from "./dom.js";
import { ms, oneLine, perSecond } from "./format.js";
import { busiest, MAX_LINES } from "./selection.js";
import { text } from "./text.js";
import { TOTAL } from "./series.js";

const SHOW_ALL_UP_TO = 16; // endpoints; with more, only what is on, was on, or is searched for
const MOST_FOUND = 24;

/**
 * @typedef {{series: import("./series.js").Series, place: number, metric: string,
 *            totalsOf: ((endpoint: object|null) => object)|null}} Reading
 *          `totalsOf` instead of a place: of all that is shown, for an endpoint or, with null, for all of them
 */

export class Legend {
  /**
   * @param {HTMLElement} root
   * @param {{selection: import("./selection.js").Selection, onChange: () => void, onRefused: (why: string) => void}} options
   */
  constructor(root, { selection, onChange, onRefused }) {
    this.selection = selection;
    this.onChange = onChange;
    this.onRefused = onRefused;
    this.counter = root.querySelector("[data-legend-count]");
    this.list = root.querySelector("[data-legend-keys]");
    this.filter = root.querySelector("input");
    this.touched = new Set();
    /** @type {Map<string|number, {item: HTMLElement, button: HTMLElement, time: HTMLElement, rate: HTMLElement}>} */
    this.keys = new Map();
    this.shown = null;
    this.filter.addEventListener("input", () => onChange());
    root.querySelector("[data-legend-top]").addEventListener("click", () => this.#all((endpoints) => selection.top(endpoints)));
    root.querySelector("[data-legend-none]").addEventListener("click", () => this.#all(() => selection.none()));
    this.list.addEventListener("click", (event) => this.#clicked(event));
  }

  /**
   * @param {Map<number, import("./store.js").Endpoint>} endpoints
   * @param {Reading} reading
   */
  render(endpoints, reading) {
    this.endpoints = endpoints;
    const wanted = this.#wanted(endpoints);
    const signature = wanted.join();
    if (signature !== this.shown) {
      this.list.replaceChildren(...[TOTAL, ...wanted].map((key) => this.#key(key).item));
      this.shown = signature;
    }
    setText(this.counter, text("lines_on", { on: this.selection.on.size, all: endpoints.size }));
    for (const key of [TOTAL, ...wanted]) {
      const isOn = key === TOTAL ? this.selection.total : this.selection.has(key);
      this.keys.get(key).button.setAttribute("aria-pressed", String(isOn));
    }
    this.read(reading);
  }

  /** Only the values: what the cursor stands on, else the newest; of a run that is over its totals. */
  read({ series, place, metric, totalsOf }) {
    for (const [key, { item, time, rate }] of this.keys) {
      if (!item.isConnected) continue;
      const whole = totalsOf && totalsOf(key === TOTAL ? null : this.endpoints.get(key));
      const at = (name) => (whole ? whole[name] : series.has(key) ? series.at(key, name, place) : undefined);
      setText(time, whole || series.has(key) ? ms(at(metric)) : "");
      setText(rate, whole || series.has(key) ? perSecond(at("rps")) : "");
    }
  }

  #wanted(endpoints) {
    const words = this.filter.value.trim().toLowerCase();
    const order = busiest(endpoints.values(), Infinity);
    if (words) {
      const isFound = (index) => endpoints.get(index).label.toLowerCase().includes(words);
      return order.filter(isFound).slice(0, MOST_FOUND);
    }
    if (order.length <= SHOW_ALL_UP_TO) return [...order].sort((a, b) => a - b);
    return order.filter((index) => this.selection.has(index) || this.touched.has(index)).sort((a, b) => a - b);
  }

  #key(key) {
    const made = this.keys.get(key);
    if (made) return made;
    const endpoint = this.endpoints.get(key);
    const label = endpoint ? oneLine(endpoint.label) : text("all_endpoints");
    const time = make("span", { class: "legend-figure" });
    const rate = make("span", { class: "legend-figure legend-rate" });
    const name = make("bdi", { class: "legend-name", text: label });
    const button = make("button", {
      type: "button", class: "legend-key", "data-key": key, title: endpoint ? `${label}\n${text("only_hint")}` : label,
    }, swatch(endpoint?.look), name, time, rate);
    const item = make("li", {}, button);
    const fresh = { item, button, time, rate };
    this.keys.set(key, fresh);
    return fresh;
  }

  #clicked(event) {
    const button = event.target.closest("[data-key]");
    if (!button) return;
    if (button.dataset.key === TOTAL) this.selection.toggleTotal();
    else {
      const index = Number(button.dataset.key);
      this.touched.add(index);
      // The second click of a double click comes after the first has toggled; "only this one" does not mind.
      if (event.detail === 2) this.selection.only(index);
      else if (event.detail < 2 && !this.selection.toggle(index)) this.onRefused(text("lines_full", { most: MAX_LINES }));
    }
    this.onChange();
  }

  #all(change) {
    this.touched.clear();
    this.filter.value = "";
    change(this.endpoints?.values() ?? []);
    this.onChange();
  }
}
