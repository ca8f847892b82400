// A few of very many: what is found while somebody types goes up to what is chosen, by pointer or keyboard.

/** The place that a key leads to from `at` among `count` found ones (-1: where one types); null for other keys. */
export function moveTo(key, at, count) {
  switch (key) {
    case "ArrowDown": return Math.min(count - 1, at + 1);
    case "ArrowUp": return Math.max(-1, at - 1);
    default: return null;
  }
}

export class Picker {
  /** @param {HTMLElement} root `[data-picker]` */
  constructor(root) {
    this.input = root.querySelector("[data-find]");
    this.found = root.querySelector("[data-found]");
    this.picked = root.querySelector("[data-picked]");
    this.said = root.querySelector("[data-said]");
    this.found.addEventListener("htmx:afterSwap", () => this.#hideChosen());
    this.found.addEventListener("change", (event) => this.#choose(event.target));
    this.found.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("keydown", (event) => this.#key(event));
  }

  get #boxes() {
    return [...this.found.querySelectorAll("li:not([hidden]) input")];
  }

  #hideChosen() {
    const chosen = new Set([...this.picked.querySelectorAll("input")].map((box) => box.value));
    for (const box of this.found.querySelectorAll("input")) box.closest("li").hidden = chosen.has(box.value);
  }

  /** Up it goes; unchecked there, it is not sent, and can be taken back. */
  #choose(box) {
    const boxes = this.#boxes;
    const next = boxes[boxes.indexOf(box) + 1] ?? this.input;
    const row = box.closest("li");
    this.picked.append(row);
    row.scrollIntoView({ block: "nearest" });
    this.said.textContent = `${row.textContent.trim()} ${this.said.dataset.chosen}`;
    next.focus();
  }

  #key(event) {
    const boxes = this.#boxes;
    const at = boxes.indexOf(event.target);
    if (event.key === "Enter" && at >= 0) {
      event.preventDefault(); // the form is not sent by choosing
      event.target.click();
      return;
    }
    const to = moveTo(event.key, at, boxes.length);
    if (to === null) return;
    event.preventDefault();
    (boxes[to] ?? this.input).focus();
  }
}
