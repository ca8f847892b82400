// The users over time as a picture: stages with their numbers, their ends, and what is under the pointer.

import { clock, count } from "./format.js";
import { corners, course, usersAt } from "./profile.js";

const SVG = "http://www.w3.org/2000/svg";
const TOP = 18;
const FOOT = 3;
const LEAST_LABEL_PX = 18;

export class Drawing {
  /** @param {SVGElement} svg @param {(second: number|null) => void} onPoint the moment under the pointer */
  constructor(svg, onPoint) {
    this.svg = svg;
    this.onPoint = onPoint;
    this.stages = [];
    svg.addEventListener("pointermove", (event) => this.#point(event));
    svg.addEventListener("pointerleave", () => this.#leave());
    new ResizeObserver(() => this.stages.length && this.draw(this.stages)).observe(svg);
  }

  /** @param {{duration: number, users: number, rate: number}[]} stages */
  draw(stages) {
    this.stages = stages;
    const { width, height } = this.svg.getBoundingClientRect();
    if (width === 0) return; // not seen yet; drawn when it is
    const points = corners(stages);
    this.end = points.at(-1)[0];
    const peak = Math.max(1, ...points.map(([, users]) => users));
    this.x = (second) => (second / this.end) * width;
    this.y = (users) => height - FOOT - (users / peak) * (height - FOOT - TOP);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const path = points.map(([second, users]) => `${this.x(second)} ${this.y(users)}`).join("L");
    this.cursor = shape("g", { class: "cursor", visibility: "hidden" }, shape("line", { y1: TOP - 4, y2: height }), shape("circle", { r: 4 }));
    this.svg.replaceChildren(
      shape("path", { class: "axis", d: `M0 ${height - 0.5}H${width}` }),
      shape("path", { class: "area", d: `M0 ${height}L${path}L${width} ${height}Z` }),
      ...this.#bounds(height),
      shape("path", { class: "line", d: `M${path}` }),
      this.cursor,
    );
  }

  at(second) {
    return usersAt(this.stages, second);
  }

  /** Where stages end, and their numbers above while there is room; a title says all of it. */
  #bounds(height) {
    if (this.stages.length < 2) return [];
    return course(this.stages).flatMap((part, place) => {
      const [left, right] = [this.x(part.from), this.x(part.to)];
      const label = shape("text", { x: (left + right) / 2, y: 11, "text-anchor": "middle" });
      label.textContent = String(place + 1);
      const title = shape("title", {});
      title.textContent = `${place + 1}: ${clock(part.from)}–${clock(part.to)}, ${count(part.before)} → ${count(part.users)}`;
      return [
        place ? shape("line", { class: "bound", x1: left, x2: left, y1: 2, y2: height }) : null,
        right - left >= LEAST_LABEL_PX ? label : null,
        shape("rect", { class: "stage-area", x: left, y: 0, width: Math.max(0, right - left), height }, title),
      ].filter(Boolean);
    });
  }

  #point(event) {
    if (!this.stages.length || !this.cursor) return;
    const { left, width } = this.svg.getBoundingClientRect();
    const second = Math.min(this.end, Math.max(0, ((event.clientX - left) / width) * this.end));
    const [line, dot] = this.cursor.children;
    for (const name of ["x1", "x2"]) line.setAttribute(name, this.x(second));
    dot.setAttribute("cx", this.x(second));
    dot.setAttribute("cy", this.y(this.at(second).users));
    this.cursor.setAttribute("visibility", "visible");
    this.onPoint(second);
  }

  #leave() {
    this.cursor?.setAttribute("visibility", "hidden");
    this.onPoint(null);
  }
}

function shape(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
