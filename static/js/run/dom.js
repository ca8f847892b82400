/** Small helpers to build elements. Text always goes in as text. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `class`, `title`, `aria-…`; `text` becomes the text; false and null are left out
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, { text, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Write only what differs: an unchanged page costs nothing and keeps a reader's selection. */
export function setText(element, value) {
  if (element && element.textContent !== value) element.textContent = value;
}

export function setHidden(element, isHidden) {
  if (element && element.hidden !== isHidden) element.hidden = isHidden;
}

let icons = "";
export const setIcons = (address) => (icons = address);

/** A picture of `static/img/icons.svg`; a word always stands beside it. */
export function icon(name) {
  return makeSvg("svg", { class: "icon", "aria-hidden": "true" }, makeSvg("use", { href: `${icons}#${name}` }));
}

/** A short stroke in an endpoint's colour and dash. `look` null: the total. */
export function swatch(look) {
  const kind = look ? `series-${look.color} dash-${look.dash}` : "series-total";
  const line = makeSvg("line", { x1: 1, y1: 5, x2: 23, y2: 5 });
  return makeSvg("svg", { class: `swatch ${kind}`, viewBox: "0 0 24 10", "aria-hidden": "true" }, line);
}

/** Hand a file to the visitor. */
export function download(name, blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
