/**
 * Which colour and dash an endpoint has: a place in the palette chosen by its name.
 *
 * The same name starts at the same colour in every run. Within a run, names that meet on one colour move on to the
 * next free one; when all colours are taken the next dash pattern begins, so no two of the first 32 lines look alike.
 */

export const COLORS = 8;
/** Canvas dash patterns, in CSS pixels; the style sheet's `.dash-n` must say the same. */
export const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

/** 32-bit FNV-1a. */
export function hash(text) {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value ^= text.charCodeAt(index);
    value = Math.imul(value, 0x01000193);
  }
  return value >>> 0;
}

export class Palette {
  /** @type {Map<string, {color: number, dash: number}>} */
  #given = new Map();
  #free = new Set();
  #dash = -1;

  /** The look of a name; the first call for a name decides it for good. */
  lookOf(name) {
    let look = this.#given.get(name);
    if (!look) {
      look = this.#next(name);
      this.#given.set(name, look);
    }
    return look;
  }

  #next(name) {
    if (this.#free.size === 0) {
      this.#dash = (this.#dash + 1) % DASHES.length;
      this.#free = new Set(Array.from({ length: COLORS }, (_, color) => color));
    }
    let color = hash(name) % COLORS;
    while (!this.#free.has(color)) color = (color + 1) % COLORS;
    this.#free.delete(color);
    return { color, dash: this.#dash };
  }
}
