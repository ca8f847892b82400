// <time datetime="…Z"> in the viewer's zone; the UTC text that the server wrote stays as the tooltip.

const style = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const full = new Intl.DateTimeFormat(document.documentElement.lang || undefined, style);
const { year: _year, ...withoutYear } = style;
const thisYear = new Intl.DateTimeFormat(document.documentElement.lang || undefined, withoutYear);
const ago = new Intl.RelativeTimeFormat(document.documentElement.lang || undefined, { numeric: "auto" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** "3 minutes ago" */
export function relative(date, now = new Date()) {
  const seconds = (date - now) / 1000;
  const [unit, length] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return ago.format(Math.trunc(seconds / length), unit);
}

/** "21 Nov, 03:12" in the viewer's zone. */
export function local(date, now = new Date()) {
  return (date.getFullYear() === now.getFullYear() ? thisYear : full).format(date);
}

/** Rewrite every <time> below `root`. */
export function localise(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    element.title ||= element.textContent.trim();
    element.textContent = "relative" in element.dataset ? relative(date) : local(date);
  }
}
