/** What the address says after `#`: the open tab, and the window of time that is shown. Pure, but for `write`. */

/** @typedef {{from: number, to: number}} Window  whole UTC seconds, both included */

/** `endpoints&from=1763700000&to=1763700050` → tab and window. @returns {{tab: string, window: Window|null}} */
export function readAddress(hash) {
  const parts = hash.replace(/^#/, "").split("&");
  const values = new URLSearchParams(parts.filter((part) => part.includes("=")).join("&"));
  const tab = parts.find((part) => part && !part.includes("=")) ?? "";
  const [from, to] = [secondsOf(values.get("from")), secondsOf(values.get("to"))];
  return { tab, window: from !== null && to !== null && to > from ? { from, to } : null };
}

/** @returns {string} with its `#`; "" when there is nothing to say */
export function hashOf({ tab, window }) {
  const parts = [tab, window && `from=${window.from}&to=${window.to}`].filter(Boolean);
  return parts.length ? `#${parts.join("&")}` : "";
}

/** Change a part of the address; the rest of it stays. @param {{tab?: string, window?: Window|null}} change */
export function write(change) {
  const hash = hashOf({ ...readAddress(location.hash), ...change });
  if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
}

/** Epoch seconds, or a moment in ISO 8601. */
function secondsOf(text) {
  if (!text) return null;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  return Number.isFinite(value) ? Math.round(value) : null;
}
