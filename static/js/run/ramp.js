/**
 * A scale of one hue whose steps look equal (OKLCH), from barely there to strong: lightness alone tells more from less,
 * so it reads the same to colour-blind people and in print. Pure.
 */

const HUE = 250; // blue, away from the red and green that mean something
const LEVELS = 64;
/** From one request to the most: lightness and chroma. On a light ground more is darker, on a dark one brighter. */
const ENDS = {
  light: [[0.9, 0.045], [0.33, 0.13]],
  dark: [[0.36, 0.06], [0.93, 0.09]],
};

/** @param {boolean} isDark @returns {[number, number, number][]} red, green, blue from 0 to 255 */
export function ramp(isDark, levels = LEVELS) {
  const [[l0, c0], [l1, c1]] = isDark ? ENDS.dark : ENDS.light;
  return Array.from({ length: levels }, (_, place) => {
    const share = place / (levels - 1);
    // Most colour in the middle: neither end of lightness can hold much.
    return fromOklch(l0 + (l1 - l0) * share, c0 + (c1 - c0) * share + 0.05 * Math.sin(Math.PI * share), HUE);
  });
}

/** The place of a count on the scale, 0 to 1: by its logarithm, so that a single request beside thousands is seen. */
export function share(count, most) {
  if (count <= 0) return 0;
  return most <= 1 ? 1 : Math.min(1, Math.log(count) / Math.log(most));
}

/** Björn Ottosson's OKLab. */
export function fromOklch(lightness, chroma, hue) {
  const angle = (hue * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((linear) => {
    const held = Math.min(1, Math.max(0, linear));
    return Math.round(255 * (held <= 0.0031308 ? 12.92 * held : 1.055 * held ** (1 / 2.4) - 0.055));
  });
}
