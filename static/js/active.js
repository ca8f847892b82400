// How many runs are on, in the bar on top: asked again while the page is seen, and when a run says that its state changed.

const EVERY_MS = 15_000;
const SOON_MS = 250; // several states at once are one question

export class ActiveRuns {
  /** @param {HTMLElement} place what the server wrote, with its own address in data-active-runs */
  constructor(place) {
    this.place = place;
    this.timer = 0;
  }

  start() {
    document.addEventListener("hatchery:run-state", () => this.#askIn(SOON_MS));
    document.addEventListener("visibilitychange", () => this.#askIn(document.hidden ? EVERY_MS : SOON_MS));
    this.#askIn(EVERY_MS);
  }

  #askIn(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#ask(), ms);
  }

  async #ask() {
    this.#askIn(EVERY_MS);
    if (document.hidden) return;
    try {
      const answer = await fetch(this.place.dataset.activeRuns, { redirect: "error" }); // not the login page
      if (answer.ok) this.#show(await answer.text());
    } catch {
      // not reached, or logged out: what stands here stays until the next time
    }
  }

  #show(html) {
    const found = new DOMParser().parseFromString(html, "text/html").querySelector("[data-active-runs]");
    if (!found || found.innerHTML === this.place.innerHTML) return;
    const hadFocus = this.place.contains(document.activeElement);
    this.place.replaceChildren(...found.childNodes);
    if (hadFocus) this.place.querySelector("a")?.focus();
  }
}
