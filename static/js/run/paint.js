/** Paints marks into a chart: each kind has its own shape, so that colour is not needed to tell them apart. */

import { color, faded } from "./theme.js";

const SIZE = 5; // half a shape, in CSS pixels
const HATCH = 6; // distance of the strokes that fill a stall
const LOOKS = {
  note: { color: "--h-accent", dash: [3, 3], shape: triangle },
  warning: { color: "--h-invalid", dash: [3, 3], shape: diamond },
  control: { color: "--h-running", dash: [1, 3], shape: square },
  stall: { color: "--h-failed", dash: [1, 2], shape: bars },
  phase: { color: "--h-ink-2", dash: [], shape: flag },
};

/** Under the lines: stretches of time. @param {import("./marks.js").Mark[]} marks */
export function paintSpans(u, marks) {
  inside(u, (ctx, ratio) => {
    for (const mark of marks) {
      if (mark.until === null || mark.until === undefined) continue;
      const [left, right] = [mark.t - 0.5, mark.until + 0.5].map((t) => u.valToPos(t, "x", true));
      const box = { left: Math.max(left, u.bbox.left), right: Math.min(right, u.bbox.left + u.bbox.width) };
      if (box.right <= box.left) continue;
      const look = LOOKS[mark.kind];
      ctx.fillStyle = faded(look.color, 0.1);
      ctx.fillRect(box.left, u.bbox.top, box.right - box.left, u.bbox.height);
      if (mark.kind === "stall") hatch(ctx, box, u.bbox, ratio);
    }
  });
}

/** Over the lines: moments. @param {import("./marks.js").Mark[]} marks */
export function paintMarks(u, marks) {
  inside(u, (ctx, ratio) => {
    const foot = u.bbox.top + u.bbox.height;
    for (const mark of marks) {
      const x = u.valToPos(mark.t, "x", true);
      if ((mark.kind === "stall" && mark.until !== null) || x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
      const look = LOOKS[mark.kind];
      ctx.strokeStyle = ctx.fillStyle = color(look.color);
      ctx.lineWidth = ratio;
      ctx.setLineDash(look.dash.map((length) => length * ratio));
      ctx.beginPath();
      ctx.moveTo(x, u.bbox.top);
      ctx.lineTo(x, foot);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      look.shape(ctx, x, mark.kind === "phase" ? u.bbox.top : foot, SIZE * ratio);
      ctx.fill();
    }
  });
}

function inside(u, paint) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  paint(ctx, devicePixelRatio);
  ctx.restore();
}

function hatch(ctx, { left, right }, { top, height }, ratio) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, height);
  ctx.clip();
  ctx.strokeStyle = faded(LOOKS.stall.color, 0.35);
  ctx.lineWidth = ratio;
  ctx.beginPath();
  for (let x = left - height; x < right; x += HATCH * ratio) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.restore();
}

function triangle(ctx, x, foot, size) {
  ctx.moveTo(x, foot - 2 * size);
  ctx.lineTo(x + size, foot);
  ctx.lineTo(x - size, foot);
}

function diamond(ctx, x, foot, size) {
  ctx.moveTo(x, foot - 2.4 * size);
  ctx.lineTo(x + 1.2 * size, foot - 1.2 * size);
  ctx.lineTo(x, foot);
  ctx.lineTo(x - 1.2 * size, foot - 1.2 * size);
}

function square(ctx, x, foot, size) {
  ctx.rect(x - size, foot - 2 * size, 2 * size, 2 * size);
}

function bars(ctx, x, foot, size) {
  ctx.rect(x - size, foot - 2 * size, 0.8 * size, 2 * size);
  ctx.rect(x + 0.2 * size, foot - 2 * size, 0.8 * size, 2 * size);
}

function flag(ctx, x, top, size) {
  ctx.moveTo(x, top);
  ctx.lineTo(x + 1.4 * size, top + 0.7 * size);
  ctx.lineTo(x, top + 1.4 * size);
}
