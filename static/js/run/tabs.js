/** Tabs whose choice is in the address, so that a link leads to it. */

import { readAddress, write } from "./address.js";

export class Tabs {
  /** @param {HTMLElement} root @param {(name: string) => void} onShow */
  constructor(root, onShow) {
    this.tabs = [...root.querySelectorAll("[role=tab]")];
    this.onShow = onShow;
    const list = root.querySelector("[role=tablist]");
    list.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => reveal(this.chosen)).observe(list); // also when it is first seen
    for (const tab of this.tabs) {
      tab.addEventListener("click", (event) => {
        event.preventDefault();
        write({ tab: tab.hash.slice(1) });
        this.#show(tab);
      });
    }
    addEventListener("hashchange", () => {
      this.#show(this.#fromAddress());
      root.scrollIntoView({ block: "nearest" });
    });
    this.#show(this.#fromAddress());
  }

  /** The names have their counts now, and so their widths. Once: later somebody may have moved the list. */
  settle() {
    if (!this.isSettled) reveal(this.chosen);
    this.isSettled = true;
  }

  /** What to open for somebody who has chosen nothing. */
  suggest(name) {
    if (readAddress(location.hash).tab || this.suggested === name) return;
    this.suggested = name;
    this.#show(this.#fromAddress());
  }

  #fromAddress() {
    const wanted = readAddress(location.hash).tab || this.suggested;
    return this.tabs.find((tab) => tab.hash === `#${wanted}`) ?? this.tabs[0];
  }

  #show(chosen) {
    for (const tab of this.tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
    this.chosen = chosen;
    reveal(chosen);
    this.current = chosen.hash.slice(1);
    this.onShow(this.current);
  }

  #key(event) {
    const place = this.tabs.indexOf(document.activeElement);
    const last = this.tabs.length - 1;
    const goal = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last }[event.key];
    if (goal === undefined || place < 0) return;
    event.preventDefault();
    const tab = this.tabs[(goal + this.tabs.length) % this.tabs.length];
    tab.focus();
    tab.click();
  }
}

/** Where there is no room for all, the list moves under the chosen one; the page does not. */
function reveal(tab) {
  const list = tab.parentElement;
  const [box, room] = [tab.getBoundingClientRect(), list.getBoundingClientRect()];
  if (box.left < room.left) list.scrollLeft -= room.left - box.left;
  else if (box.right > room.right) list.scrollLeft += box.right - room.right;
}
