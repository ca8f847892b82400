/** A logarithmic axis of response times: where it is labelled, and how a stretch of it is said. Pure. */

import { ms } from "./format.js";

const AXIS_STEPS = [1, 2, 5];

/** `120–135 ms` */
export function between(low, high) {
  const [from, to] = [ms(low), ms(high)];
  const unit = /[^\d.,]+$/;
  return from.match(unit)?.[0] === to.match(unit)?.[0] ? `${from.replace(unit, "")}–${to}` : `${from}–${to}`;
}

/** 1, 2, 5, 10, … within the limits; every power of ten alone where they would crowd. */
export function niceTimes(low, high, density) {
  const decades = Math.log10(high / low);
  const steps = decades > 1.8 * density ? [1] : AXIS_STEPS;
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const step of steps) {
      const value = Number((step * 10 ** power).toPrecision(3));
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found.length >= 2 ? found : [low, Math.sqrt(low * high), high];
}
