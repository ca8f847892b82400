// The users over time that a load asks for. Pure.

/** "1h30m" → 5400; NaN for anything else. */
export function seconds(text) {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text.trim().toLowerCase().replaceAll(" ", ""));
  if (!match || !text.trim()) return NaN;
  return (Number(match[1] ?? 0) * 60 + Number(match[2] ?? 0)) * 60 + Number(match[3] ?? 0);
}

/**
 * Each stage with its times and the users at its ends.
 * @param {{duration: number, users: number, rate: number}[]} stages
 * @returns {{from: number, to: number, top: number, before: number, users: number, goal: number}[]} `top` is when it stops climbing
 */
export function course(stages) {
  let [now, users] = [0, 0];
  return stages.map((stage) => {
    const ramp = Math.min(stage.duration, Math.abs(stage.users - users) / stage.rate);
    const reached = users + Math.sign(stage.users - users) * ramp * stage.rate;
    const one = { from: now, top: now + ramp, to: now + stage.duration, before: users, users: reached, goal: stage.users };
    now = one.to;
    users = reached;
    return one;
  });
}

/** Corners [second, users] of what stages ask for. */
export function corners(stages) {
  return [[0, 0], ...course(stages).flatMap(({ top, to, users }) => [[top, users], [to, users]])];
}

/** Users and stage (from 1) at a second; the last stage holds from its end on. */
export function usersAt(stages, second) {
  const parts = course(stages);
  const place = parts.findIndex(({ to }) => second < to);
  const part = parts[place < 0 ? parts.length - 1 : place];
  const share = part.top > part.from ? Math.min(1, (second - part.from) / (part.top - part.from)) : 1;
  return { stage: parts.indexOf(part) + 1, users: Math.round(part.before + (part.users - part.before) * share) };
}
