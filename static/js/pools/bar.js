// The bar of a pool's IDs says what is under the pointer, or chosen by keyboard.

/** The place that a key leads to from `at` (-1: none yet) among `count`; null for other keys. */
export function stepTo(key, at, count) {
  switch (key) {
    case "ArrowRight": return Math.min(count - 1, at + 1);
    case "ArrowLeft": return Math.max(0, at - 1);
    case "Home": return 0;
    case "End": return count - 1;
    default: return null;
  }
}

export class IdBar {
  /** @param {HTMLElement} bar `[data-bar]` @param {HTMLElement} said where it is said, with what to say else in data-hint */
  constructor(bar, said) {
    this.bar = bar;
    this.said = said;
    this.at = -1;
    bar.addEventListener("keydown", (event) => this.#key(event));
    bar.addEventListener("focus", () => this.#show(Math.max(0, this.at)));
    bar.addEventListener("blur", () => this.#show(-1));
    bar.addEventListener("pointermove", (event) => this.#point(event));
    bar.addEventListener("pointerleave", () => this.#show(-1));
  }

  // Asked anew each time: the pieces change while somebody looks.
  get #pieces() {
    return [...this.bar.querySelectorAll("[data-piece]")];
  }

  #key(event) {
    const to = stepTo(event.key, this.at, this.#pieces.length);
    if (to === null) return;
    event.preventDefault();
    this.#show(to);
  }

  #point(event) {
    const piece = event.target.closest("[data-piece]");
    if (piece) this.#show(this.#pieces.indexOf(piece));
  }

  #show(at) {
    const pieces = this.#pieces;
    const piece = pieces[at];
    this.at = piece ? at : -1;
    for (const other of pieces) other.classList.toggle("is-chosen", other === piece);
    const text = piece?.textContent ?? this.said.dataset.hint;
    if (this.said.textContent !== text) this.said.textContent = text;
  }
}
