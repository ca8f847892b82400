/** Colours for the canvas, read from the style sheet, and a word when they change. */

let probe = null;
let cache = new Map();

/** What a custom property is as a colour right now: `color("--h-ink")` → `rgb(…)`. */
export function color(property) {
  let found = cache.get(property);
  if (!found) {
    if (!probe) {
      probe = document.createElement("i");
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(${property})`;
    found = getComputedStyle(probe).color;
    cache.set(property, found);
  }
  return found;
}

/** The same colour, see-through. @param {number} alpha 0 to 1 */
export function faded(property, alpha) {
  const solid = color(property);
  const parts = solid.match(/[\d.]+/g);
  return solid.startsWith("rgb") && parts ? `rgba(${parts.slice(0, 3).join(", ")}, ${alpha})` : solid;
}

export function onThemeChange(run) {
  const changed = () => {
    cache = new Map();
    run();
  };
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}
