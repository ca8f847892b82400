/** The phases of a run: a strip along the time axis, and a table with the totals of each. */

import { make, setHidden } from "./dom.js";
import { count, duration, ms, share, significant, time, utc } from "./format.js";
import { LATENCIES } from "./rows.js";
import { text } from "./text.js";

const AXIS_LEFT = 62; // as wide as the axis of the chart above
const AXIS_RIGHT = 28;
const LEAST_LABEL_PX = 46;
const AGAIN_MS = 15_000;
const ORDER = ["steady", "ramp_up", "ramp_down", "paused"];

/** Fetches phases; they change when the load does, and the last one grows. */
export class Phases {
  /** @param {{api: import("./api.js").Api, onChange: (topics: string[]) => void, now?: () => number, isSeen?: () => boolean}} options */
  constructor({ api, onChange, now, isSeen }) {
    Object.assign(this, { api, onChange });
    this.now = now ?? (() => performance.now());
    this.isSeen = isSeen ?? (() => !document.hidden);
    /** @type {{kind: string, stage: number|null, label: string, from: number, to: number, users: number, totals: object}[]} */
    this.list = [];
    this.askedAt = -Infinity;
    this.isAsking = false;
  }

  /** A second came in: now and then, and at once after a change of the load. */
  heard() {
    return this.isSeen() && this.now() - this.askedAt >= AGAIN_MS ? this.fetch() : undefined;
  }

  async fetch() {
    if (this.isAsking) return;
    this.isAsking = true;
    this.askedAt = this.now();
    try {
      this.list = (await this.api.get("phases/")).phases.map((phase) => ({ ...phase, from: seconds(phase.from), to: seconds(phase.to) }));
      this.onChange(["phases"]);
    } catch {
      // the next round asks again; nothing else depends on it
    }
    this.isAsking = false;
  }
}

/** Epoch seconds, however they are written. */
const seconds = (value) => (typeof value === "number" ? value : Math.round(Date.parse(value) / 1_000));

/** `Ramp-up`, `Stage 2: steady` */
export function phaseName({ kind, stage, label }) {
  const word = text(`phase_${kind}`);
  return stage === null || stage === undefined ? (word || label) : text("phase_stage", { stage, kind: word });
}

/** Steady first, within a kind by time. */
export function inOrder(phases) {
  const place = (phase) => (ORDER.indexOf(phase.kind) + ORDER.length + 1) % (ORDER.length + 1);
  return [...phases].sort((a, b) => place(a) - place(b) || a.from - b.from);
}

/** Where a phase stands on the strip, in parts of its width; null when it is outside of it. */
export function extent({ from, to }, [start, end]) {
  const left = Math.max(0, (from - 0.5 - start) / (end - start));
  const right = Math.min(1, (to + 0.5 - start) / (end - start));
  return right > left ? { left, right } : null;
}

export class PhaseStrip {
  /** @param {HTMLElement} root @param {(phase: {from: number, to: number}) => void} onChoose */
  constructor(root, onChoose) {
    this.root = root;
    this.onChoose = onChoose;
    this.drawn = "";
    new ResizeObserver(() => this.last && this.render(...this.last)).observe(root);
  }

  /** @param {[number, number]} range of the time axis above @param {import("./address.js").Window|null} window */
  render(phases, range, window) {
    this.last = [phases, range, window];
    const width = this.root.clientWidth - AXIS_LEFT - AXIS_RIGHT;
    setHidden(this.root, phases.length === 0);
    if (phases.length === 0 || width <= 0) return;
    const isSame = this.buttons?.length === phases.length && this.drawn === phases.map(phaseName).join();
    if (!isSame) {
      this.drawn = phases.map(phaseName).join();
      this.buttons = phases.map((phase, place) => {
        const button = make("button", { type: "button", class: `phase phase-${phase.kind}` }, make("span", { text: phaseName(phase) }));
        button.addEventListener("click", () => this.onChoose(this.last[0][place]));
        return button;
      });
      this.root.replaceChildren(...this.buttons);
    }
    phases.forEach((phase, place) => {
      const button = this.buttons[place];
      const here = extent(phase, range);
      setHidden(button, !here);
      if (!here) return;
      const px = (here.right - here.left) * width;
      button.style.left = `${AXIS_LEFT + here.left * width}px`;
      button.style.width = `${Math.max(2, px - 1)}px`;
      button.classList.toggle("is-narrow", px < LEAST_LABEL_PX);
      const words = `${phaseName(phase)} · ${time(phase.from)}–${time(phase.to)} · ${duration(phase.to - phase.from + 1)}`;
      if (button.title !== words) {
        button.title = words;
        button.setAttribute("aria-label", words);
      }
      button.setAttribute("aria-pressed", String(Boolean(window) && window.from === phase.from && window.to === phase.to));
    });
  }
}

export function drawPhases(panel, phases, { onChoose, window, isExact }) {
  const some = panel.querySelector("[data-some]");
  setHidden(some, phases.length === 0);
  setHidden(panel.querySelector("[data-none]"), phases.length > 0);
  setHidden(panel.querySelector("[data-rough]"), isExact || phases.length === 0);
  const num = (words, title) => make("td", { class: "num", text: words, title });
  some.querySelector("tbody").replaceChildren(...inOrder(phases).map((phase) => {
    const { totals } = phase;
    const isShown = Boolean(window) && window.from === phase.from && window.to === phase.to;
    const name = make("button", { type: "button", class: "link-button", "aria-pressed": String(isShown), title: text("phase_show"), text: phaseName(phase) });
    name.addEventListener("click", () => onChoose(phase));
    return make("tr", { class: isShown ? "is-only" : false },
      make("th", { scope: "row" }, make("i", { class: `phase-key phase-${phase.kind}`, "aria-hidden": "true" }), name),
      num(`${time(phase.from)}–${time(phase.to)}`, utc(phase.from)),
      num(duration(phase.to - phase.from + 1)),
      num(count(phase.users)), num(count(totals.requests)), num(significant(totals.rps)), num(share(totals.failures, totals.requests)),
      ...LATENCIES.map((key) => num(ms(totals[key]))));
  }));
}
