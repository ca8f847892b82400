/** A small label beside the cursor of a chart. It says what the reading line says too, so it is nothing to listen to. */

import { make, setHidden, setText } from "./dom.js";

const GAP = 12;

export class Tip {
  /** @param {HTMLElement} place what it moves in; must be positioned */
  constructor(place) {
    this.place = place;
    this.element = make("div", { class: "chart-tip", hidden: true, "aria-hidden": "true" });
    place.append(this.element);
  }

  /** @param {number} left @param {number} top of the cursor in `place`, in pixels; "" hides it */
  show(words, left, top) {
    setHidden(this.element, !words);
    if (!words) return;
    setText(this.element, words);
    const room = this.place.clientWidth - this.element.offsetWidth;
    const x = left + GAP > room ? left - GAP - this.element.offsetWidth : left + GAP;
    const y = Math.max(0, Math.min(top - GAP, this.place.clientHeight - this.element.offsetHeight));
    this.element.style.transform = `translate(${Math.max(0, Math.round(x))}px, ${Math.round(y)}px)`;
  }
}
