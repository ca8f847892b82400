/**
 * The tail of Locust's log. Lines are appended as they come; the oldest leave with the store's. A level and words narrow
 * down what is loaded at once; the server looks through all that is kept.
 */

import { make, setHidden, setText } from "./dom.js";
import { count } from "./format.js";
import { holds, pieces, Ranker, rankOf } from "./loglines.js";
import { text } from "./text.js";

const NEAR_END_PX = 24;
const TYPING_MS = 150;
const CLASSES = ["log-debug", false, "log-warning", "log-error", "log-error"]; // by rank

export class LogTail {
  /**
   * @param {HTMLElement} panel
   * @param {{api: import("./api.js").Api}} options
   */
  constructor(panel, { api }) {
    const find = (name) => panel.querySelector(`[data-${name}]`);
    this.api = api;
    this.box = find("lines");
    this.follow = find("follow");
    this.note = find("log-note");
    this.none = find("none");
    this.levels = [...panel.querySelectorAll("[data-log-level]")];
    this.search = find("log-search");
    this.counted = find("log-count");
    this.server = find("log-server");
    this.back = find("log-back");
    this.generation = -1;
    /** @type {{text: string, rank: number}[]} what is loaded */
    this.lines = [];
    /** What the server found, while that is shown. @type {{lines: object[], matches: number}|null} */
    this.found = null;
    this.place = -1;
    this.worker = null;
    this.follow.addEventListener("change", () => this.#toEnd());
    this.box.addEventListener("scroll", () => this.#scrolled());
    for (const button of this.levels) button.addEventListener("click", () => this.#choose(button));
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.#narrow(), TYPING_MS);
    });
    this.search.addEventListener("keydown", (event) => this.#key(event));
    this.server.addEventListener("click", () => this.#ask());
    this.back.addEventListener("click", () => this.#leave());
  }

  /** Whose log is looked through at the server. @param {number|null} worker its index; null: the run's */
  turnTo(worker) {
    if (worker === this.worker) return;
    this.worker = worker;
    this.question = null;
    this.found = null;
  }

  get level() {
    return this.levels.find((button) => button.getAttribute("aria-pressed") === "true")?.dataset.logLevel ?? "";
  }

  get words() {
    return this.search.value.trim();
  }

  /** @param {{lines: string[], from: number, generation: unknown, isLoading?: boolean}} log as the store has it */
  render(log) {
    this.isLoading = log.isLoading;
    if (log.generation !== this.generation) this.#begin(log);
    const known = this.next - log.from;
    const fresh = log.lines.slice(Math.max(0, known)).map((line) => this.ranker.next(line));
    this.next = log.from + log.lines.length;
    this.lines.push(...fresh);
    const surplus = this.lines.length - log.lines.length;
    this.lines.splice(0, Math.max(0, surplus));
    this.dropped = log.from > 0;
    if (this.found) return;
    const wasFollowing = this.follow.checked;
    this.box.append(...this.#elements(fresh));
    for (let gone = surplus; gone > 0 && this.box.firstChild; gone -= 1) {
      if (this.shown.shift()) this.box.firstChild.remove();
    }
    this.#count();
    if (wasFollowing) this.#toEnd();
  }

  #begin(log) {
    this.generation = log.generation;
    this.next = log.from;
    this.ranker = new Ranker();
    this.lines = [];
    this.shown = [];
    if (!this.found) this.box.replaceChildren();
  }

  /** Elements of those lines that are wanted; `shown` remembers which. */
  #elements(lines) {
    const [least, words] = [rankOf(this.level), this.words];
    const wanted = lines.map((line) => line.rank >= least && holds(line.text, words));
    this.shown.push(...wanted);
    return lines.filter((_line, place) => wanted[place]).map(({ text: line, rank }) => make("div", { class: CLASSES[rank] },
      ...pieces(line, words).map((piece) => (piece.isFound ? make("mark", { text: piece.text }) : piece.text))));
  }

  #choose(chosen) {
    for (const button of this.levels) button.setAttribute("aria-pressed", String(button === chosen));
    this.#narrow();
  }

  /** Show what is wanted of what is here. */
  #narrow() {
    if (this.found) return void this.#ask();
    const wasFollowing = this.follow.checked;
    this.shown = [];
    this.place = -1;
    this.box.replaceChildren(...this.#elements(this.lines));
    this.#count();
    if (wasFollowing) this.#toEnd();
  }

  #count() {
    const all = this.lines.length;
    const isNarrow = Boolean(this.level || this.words);
    const shown = this.box.childElementCount;
    setText(this.counted, this.found
      ? text("log_found", { found: count(this.found.matches), shown: count(shown) })
      : isNarrow ? text("log_shown", { shown: count(shown), all: count(all) }) : all ? text(all === 1 ? "log_line" : "log_lines", { count: count(all) }) : "");
    setText(this.note, this.dropped && !this.found ? text("log_dropped") : "");
    setHidden(this.back, !this.found);
    setHidden(this.server, Boolean(this.found) || !isNarrow);
    const isEmpty = shown === 0;
    setHidden(this.box, isEmpty);
    setHidden(this.none, !isEmpty);
    if (isEmpty) setText(this.none, text(this.isLoading ? "loading" : isNarrow || this.found ? "log_nothing_found" : "log_nothing"));
  }

  /** Look through all that the server keeps. */
  async #ask() {
    const question = (this.question = Symbol("question"));
    this.server.disabled = true;
    try {
      const answer = await this.api.get("log/", { worker: this.worker ?? undefined, level: this.level || undefined, search: this.words || undefined });
      if (question !== this.question) return;
      const ranker = new Ranker();
      if (this.level) ranker.rank = rankOf(this.level); // what has no head goes on with a line of this level
      this.found = { matches: answer.matches };
      this.shown = [];
      this.place = -1;
      this.box.replaceChildren(...this.#elements(answer.lines.map((line) => ranker.next(line))));
      this.#count();
      this.#toEnd();
    } catch (error) {
      if (question === this.question) setText(this.counted, error.message);
    } finally {
      this.server.disabled = false;
    }
  }

  #leave() {
    this.question = null;
    this.found = null;
    this.#narrow();
    this.search.focus();
  }

  /** Enter goes from one found place to the next, with Shift back; Escape clears. */
  #key(event) {
    if (event.key === "Escape" && this.search.value) {
      event.preventDefault();
      this.search.value = "";
      this.#narrow();
    }
    if (event.key !== "Enter") return;
    event.preventDefault();
    const marks = [...this.box.querySelectorAll("mark")];
    if (!marks.length) return;
    marks[this.place]?.classList.remove("is-current");
    const start = this.place < 0 ? (event.shiftKey ? 0 : -1) : this.place;
    this.place = (start + (event.shiftKey ? -1 : 1) + marks.length) % marks.length;
    this.follow.checked = false;
    marks[this.place].classList.add("is-current");
    marks[this.place].scrollIntoView({ block: "nearest" });
  }

  #scrolled() {
    const rest = this.box.scrollHeight - this.box.clientHeight - this.box.scrollTop;
    this.follow.checked = rest < NEAR_END_PX;
  }

  #toEnd() {
    if (this.follow.checked) this.box.scrollTop = this.box.scrollHeight;
  }
}
