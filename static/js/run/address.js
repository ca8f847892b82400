/** What the address says after `#`: the open tab, the worker whose log it shows, and the window of time. Pure, but for `write`. */

/** @typedef {{from: number, to: number}} Window  whole UTC seconds, both included */

/**
 * `log&worker=2&from=1763700000&to=1763700050` → tab, index of a worker and window.
 * @returns {{tab: string, worker: number|null, window: Window|null}}
 */
export function readAddress(hash) {
  const parts = hash.replace(/^#/, "").split("&");
  const values = new URLSearchParams(parts.filter((part) => part.includes("=")).join("&"));
  const tab = parts.find((part) => part && !part.includes("=")) ?? "";
  const [from, to] = [secondsOf(values.get("from")), secondsOf(values.get("to"))];
  const worker = /^\d{1,5}$/.test(values.get("worker") ?? "") ? Number(values.get("worker")) : null;
  return { tab, worker, window: from !== null && to !== null && to > from ? { from, to } : null };
}

/** @returns {string} with its `#`; "" when there is nothing to say. Only the log is a worker's. */
export function hashOf({ tab, worker = null, window }) {
  const parts = [tab, tab === "log" && worker !== null && `worker=${worker}`, window && `from=${window.from}&to=${window.to}`].filter(Boolean);
  return parts.length ? `#${parts.join("&")}` : "";
}

/** Change a part of the address; the rest of it stays. @param {{tab?: string, worker?: number|null, window?: Window|null}} change */
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
