/**
 * Numbers in a row, with gaps: eight bytes each whatever they are, and room for all that will be kept.
 *
 * A list of numbers and nulls takes three times as much, and its garbage makes a page stutter that gets a second of
 * fifty endpoints every second.
 */

export class Column {
  #values;
  #length = 0;

  /** @param {ArrayLike<number|null>} [values] @param {number} [room] that is likely needed */
  constructor(values = [], room = values.length) {
    this.#values = new Float64Array(Math.max(room, values.length));
    for (let place = 0; place < values.length; place += 1) this.#values[place] = values[place] ?? NaN;
    this.#length = values.length;
  }

  /** So many gaps. */
  static ofGaps(length, room = length) {
    const column = new Column([], Math.max(room, length));
    column.#values.fill(NaN, 0, length);
    column.#length = length;
    return column;
  }

  get length() {
    return this.#length;
  }

  /** @returns {number|null} null for a gap, and for a place that is not there */
  at(place) {
    const value = place >= 0 && place < this.#length ? this.#values[place] : NaN;
    return Number.isNaN(value) ? null : value;
  }

  /** @param {number|null|undefined} value @param {number} room to make should there be none left */
  push(value, room) {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(Math.max(room, this.#length + 1));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length] = value ?? NaN;
    this.#length += 1;
  }

  /** Forget the oldest. */
  drop(count) {
    this.#values.copyWithin(0, count, this.#length);
    this.#length -= Math.min(count, this.#length);
  }

  /** @returns {(number|null)[]} */
  list(from = 0, to = this.#length) {
    const list = [];
    for (let place = Math.max(0, from); place < Math.min(to, this.#length); place += 1) list.push(this.at(place));
    return list;
  }
}
