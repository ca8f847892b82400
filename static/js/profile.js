// The users over time that a load asks for. Pure.

/** "1h30m" → 5400; NaN for anything else. */
export function seconds(text) {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text.trim().toLowerCase().replaceAll(" ", ""));
  if (!match || !text.trim()) return NaN;
  return (Number(match[1] ?? 0) * 60 + Number(match[2] ?? 0)) * 60 + Number(match[3] ?? 0);
}

/** Corners [second, users] of what stages ask for. */
export function corners(stages) {
  const points = [[0, 0]];
  let [now, users] = [0, 0];
  for (const stage of stages) {
    const ramp = Math.min(stage.duration, Math.abs(stage.users - users) / stage.rate);
    const reached = users + Math.sign(stage.users - users) * ramp * stage.rate;
    points.push([now + ramp, reached], [now + stage.duration, reached]);
    now += stage.duration;
    users = reached;
  }
  return points;
}
