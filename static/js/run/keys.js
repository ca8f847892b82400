/** The keyboard of charts that share times: one moves the cursor and the window of all of them. */

const STRIDE = 10; // points at once, with Shift

/**
 * @typedef {{t: number[], place: number|null, window: import("./address.js").Window|null, firstT: number, lastT: number,
 *            range: () => [number, number], zoomTo: (from: number, to: number) => void, leaveWindow: () => void,
 *            keyMoved: (place: number) => void}} Group
 *          `t`: times of what is drawn; `place`: of the cursor among them; `firstT`, `lastT`: ends of the whole run
 */

/** @param {import("./chart.js").Chart} chart @param {Group} group */
export function listen(chart, group) {
  chart.plot.addEventListener("keydown", (event) => {
    if (!chart.uplot || group.t.length === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (moved(chart, group, event) || zoomed(group, event)) event.preventDefault();
  });
  chart.plot.addEventListener("blur", () => chart.uplot?.setCursor({ left: -10, top: -10 }, true, true));
}

/** First and last place that is shown. */
function endsOf({ t }, [from, to]) {
  const first = t.findIndex((one) => one >= from);
  let last = t.length - 1;
  while (last > first && t[last] > to) last -= 1;
  return [first, last];
}

function moved(chart, group, { key, shiftKey }) {
  const [first, last] = endsOf(group, group.range());
  const here = group.place ?? last;
  const stride = shiftKey ? STRIDE : 1;
  const goals = { ArrowLeft: here - stride, ArrowRight: here + stride, Home: first, End: last };
  if (!(key in goals)) return false;
  const place = Math.min(last, Math.max(first, goals[key]));
  chart.pointAt(place);
  group.keyMoved(place);
  return true;
}

function zoomed(group, { key }) {
  const { t, window, firstT, lastT } = group;
  const [from, to] = group.range();
  const here = t[group.place ?? endsOf(group, [from, to])[1]];
  if (key === "+" || key === "-") {
    const reach = ((to - from) / 2) * (key === "+" ? 0.5 : 2);
    const isAll = here - reach <= firstT && here + reach >= lastT;
    if (key === "-" && isAll) group.leaveWindow();
    else group.zoomTo(Math.max(here - reach, firstT), Math.min(here + reach, lastT));
  } else if (key === "[") group.zoomTo(here, Math.max(window?.to ?? lastT, here));
  else if (key === "]") group.zoomTo(Math.min(window?.from ?? firstT, here), here);
  else return false;
  return true;
}
