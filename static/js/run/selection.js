/** Which endpoints have a line. By itself: the busiest; as soon as somebody chooses: what they chose. */

export const TOP = 10;
export const MAX_LINES = 50;

export class Selection {
  constructor() {
    /** @type {Set<number>} */
    this.on = new Set();
    this.total = true;
    this.isChosen = false;
    /** What was on before "only this one". */
    this.before = null;
  }

  has(index) {
    return this.on.has(index);
  }

  get isFull() {
    return this.on.size >= MAX_LINES;
  }

  /** Returns false when there are too many lines already. */
  toggle(index) {
    this.isChosen = true;
    this.before = null;
    if (this.on.delete(index)) return true;
    if (this.isFull) return false;
    this.on.add(index);
    return true;
  }

  toggleTotal() {
    this.total = !this.total;
  }

  isOnly(index) {
    return this.on.size === 1 && this.on.has(index) && !this.total;
  }

  /** Only this one; a second time goes back to what there was. */
  only(index) {
    if (this.isOnly(index) && this.before) {
      ({ on: this.on, total: this.total, isChosen: this.isChosen } = this.before);
      this.before = null;
      return;
    }
    if (!this.before) this.before = { on: this.on, total: this.total, isChosen: this.isChosen };
    this.on = new Set([index]);
    this.total = false;
    this.isChosen = true;
  }

  /** Back to the busiest. */
  top(endpoints) {
    this.on = new Set(busiest(endpoints, TOP));
    this.total = true;
    this.isChosen = false;
    this.before = null;
  }

  none() {
    this.on = new Set();
    this.total = true;
    this.isChosen = true;
    this.before = null;
  }

  /**
   * Follow the run while nobody has chosen: everything while there are few, the busiest anew only while the order still
   * settles; later the lines stay, so that the picture does not change under the reader.
   */
  follow(endpoints, isSettling) {
    if (this.isChosen) return;
    if (isSettling || this.on.size === 0) this.on = new Set(busiest(endpoints, TOP));
    for (const index of busiest(endpoints, TOP)) if (this.on.size < TOP) this.on.add(index);
  }
}

export function busiest(endpoints, many) {
  return [...endpoints]
    .sort((a, b) => (b.totals.requests ?? 0) - (a.totals.requests ?? 0) || a.index - b.index)
    .slice(0, many)
    .map((endpoint) => endpoint.index);
}
