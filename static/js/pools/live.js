// The parts of a page that change by themselves: asked again every five seconds while the page is seen.

import { local, localise } from "../times.js";
import { Merger } from "./merge.js";

const EVERY_MS = 5_000;
const SOON_MS = 100;
const ANSWER_MS = 15_000;

export class Live {
  /** @param {HTMLElement} page `[data-live-page]`, with `[data-lost]` in it */
  constructor(page) {
    this.merger = new Merger(page, localise);
    this.lost = page.querySelector("[data-lost]");
    this.seenAt = new Date();
    this.timer = 0;
    this.isAsking = false;
  }

  start() {
    document.addEventListener("visibilitychange", () => this.#askIn(document.hidden ? EVERY_MS : SOON_MS));
    this.#askIn(EVERY_MS);
  }

  #askIn(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#round(), ms);
  }

  async #round() {
    if (!document.hidden && !this.isAsking) {
      this.isAsking = true;
      this.#say(await this.#ask());
      this.isAsking = false;
    }
    this.#askIn(EVERY_MS);
  }

  /** Whether the portal answered. */
  async #ask() {
    try {
      const answer = await fetch(liveAddress(location.href, this.merger.tokens), {
        redirect: "error", // not the login page
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (answer.status === 404) location.reload(); // deleted, moved, or called otherwise: let the portal say it
      if (!answer.ok) return false;
      this.merger.merge(await answer.text());
      return true;
    } catch {
      return false;
    }
  }

  #say(isReached) {
    if (isReached) this.seenAt = new Date();
    if (this.lost.hidden !== isReached) {
      this.lost.querySelector("[data-lost-since]").textContent = local(this.seenAt);
      this.lost.hidden = isReached;
    }
  }
}

/** Where only the live part of a page is, with the page's own filters; without what has one of these tokens. */
export function liveAddress(page, tokens = []) {
  const address = new URL(page);
  address.hash = "";
  address.searchParams.set("part", "live");
  if (tokens.length) address.searchParams.set("have", tokens.join("."));
  return address.href;
}
