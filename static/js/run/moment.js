/** Where the cursor stands, in words. */

import { duration, time } from "./format.js";
import { text } from "./text.js";

/** When it is, how far into the run, and what is marked there. @param {import("./marks.js").Mark|null} mark */
export function momentWords(t, run, mark) {
  const start = run.started_at ? Date.parse(run.started_at) / 1000 : null;
  return [
    time(t),
    start === null || t < start ? "" : text("into_run", { time: duration(t - start) }),
    mark ? `${text(`mark_${mark.kind}`)}: ${mark.text}` : "",
  ].filter(Boolean).join(" · ");
}
