// Stages to begin with, out of a load that somebody has typed. Pure.

const LEAST_RATE = 0.01;
const MOST_RATE = 10_000;
const SOAK_SECONDS = 3_600;
const STEPS = 5;

/** Seconds as the server reads and writes them: 90 → "1m30s". */
export function durationText(seconds) {
  const total = Math.round(seconds);
  const parts = [[Math.floor(total / 3600), "h"], [Math.floor(total / 60) % 60, "m"], [total % 60, "s"]];
  return parts.filter(([value]) => value).map(([value, unit]) => `${value}${unit}`).join("") || "0s";
}

/**
 * @param {"ramp"|"hold"|"step"|"spike"|"soak"|"custom"} kind
 * @param {{users: number, rate: number, seconds: number}} load what was typed; what is missing or wrong gets a default
 * @returns {{duration: number, users: number, rate: number}[]}
 */
export function templateStages(kind, load) {
  const users = load.users >= 1 ? Math.round(load.users) : 10;
  const seconds = load.seconds >= 10 ? Math.round(load.seconds) : 300;
  const rate = load.rate > 0 ? load.rate : 1;
  const part = (share) => Math.max(1, Math.floor(seconds * share));
  switch (kind) {
    case "ramp": return climb([[seconds, users]]);
    case "hold": {
      const edge = part(0.1);
      return climb([[edge, users], [seconds - 2 * edge, users], [edge, 0]]);
    }
    case "step": return steps(users, seconds);
    case "spike": {
      const few = Math.max(1, Math.round(users / 10));
      const edge = part(0.05);
      const side = part(0.35);
      return climb([[edge, few], [side, few], [edge, users], [seconds - 3 * edge - 2 * side, users], [edge, few], [side, few]]);
    }
    case "soak": {
      const edge = Math.min(300, part(0.1));
      return climb([[edge, users], [Math.max(SOAK_SECONDS, seconds), users], [edge, 0]]);
    }
    default: return [{ duration: seconds, users, rate }];
  }
}

/** Each stage as fast as it takes to arrive at its end; one that holds keeps the rate of the one before. */
function climb(goals) {
  let [before, rate] = [0, 1];
  return goals.map(([duration, users]) => {
    if (users !== before) rate = rounded(Math.abs(users - before) / duration);
    before = users;
    return { duration, users, rate };
  });
}

/** Equal steps, each reached within a tenth of it. */
function steps(users, seconds) {
  const many = Math.max(1, Math.min(STEPS, users));
  const duration = Math.max(1, Math.floor(seconds / many));
  let before = 0;
  return Array.from({ length: many }, (_, place) => {
    const goal = Math.round((users * (place + 1)) / many);
    const rate = rounded((goal - before) / Math.max(1, duration / 10));
    before = goal;
    return { duration: place === many - 1 ? seconds - duration * (many - 1) : duration, users: goal, rate };
  });
}

/** Up to two digits after the point, never so little that the goal is missed by a user. */
function rounded(rate) {
  return Math.min(MOST_RATE, Math.max(LEAST_RATE, Math.ceil(rate * 100 - 1e-9) / 100));
}

/** Which cell of a stage is wrong, by the rules of the server; null for none, and for a row that is empty. */
export function wrongCell({ duration, users, spawn_rate: rate }, seconds) {
  if (![duration, users, rate].some((text) => text.trim())) return null;
  if (!(seconds(duration) > 0)) return "duration";
  if (!/^\d{1,9}$/.test(users.trim())) return "users";
  return rate.trim() && Number(rate) > 0 && Number.isFinite(Number(rate)) ? null : "spawn_rate";
}
