/** The tail of Locust's log. Lines are appended as they come; the oldest leave with the store's. */

import { make, setHidden, setText } from "./dom.js";
import { plain } from "./format.js";
import { text } from "./text.js";

const NEAR_END_PX = 24;
const ERROR = /\b(Traceback|ERROR|CRITICAL)\b/;
const WARNING = /\bWARNING\b/;

export class LogTail {
  constructor(panel) {
    this.lines = panel.querySelector("[data-lines]");
    this.follow = panel.querySelector("[data-follow]");
    this.note = panel.querySelector("[data-log-note]");
    this.none = panel.querySelector("[data-none]");
    this.generation = -1;
    this.next = 0;
    this.follow.addEventListener("change", () => this.#toEnd());
    this.lines.addEventListener("scroll", () => {
      const rest = this.lines.scrollHeight - this.lines.clientHeight - this.lines.scrollTop;
      this.follow.checked = rest < NEAR_END_PX;
    });
  }

  /** @param {import("./store.js").Store} store */
  render({ log }) {
    if (log.generation !== this.generation) {
      this.generation = log.generation;
      this.next = log.from;
      this.lines.replaceChildren();
    }
    const known = this.next - log.from;
    const fresh = log.lines.slice(Math.max(0, known));
    this.next = log.from + log.lines.length;
    const wasFollowing = this.follow.checked;
    this.lines.append(...fresh.map((line) => {
      const clean = plain(line);
      return make("div", { class: ERROR.test(clean) ? "log-error" : WARNING.test(clean) ? "log-warning" : false, text: clean });
    }));
    while (this.lines.childElementCount > log.lines.length) this.lines.firstChild.remove();
    setText(this.note, log.from > 0 ? text("log_dropped") : "");
    setHidden(this.none, log.lines.length > 0);
    setHidden(this.lines, log.lines.length === 0);
    if (wasFollowing) this.#toEnd();
  }

  #toEnd() {
    if (this.follow.checked) this.lines.scrollTop = this.lines.scrollHeight;
  }
}
