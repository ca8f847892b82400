/** What a run's state means for the page. Pure. */

export const OVER = new Set(["finished", "stopped", "failed", "lost"]);

const FAILED = new Set(["failed", "lost"]);

export const isOver = (run) => OVER.has(run.state);

/**
 * Which face the page shows: `queued`, `starting` (until the first request), `live`, `failed` (never got going), `report`.
 * @returns {"queued"|"starting"|"live"|"failed"|"report"}
 */
export function phaseOf(run) {
  if (run.state === "queued") return "queued";
  if (run.state === "claimed" || run.state === "starting") return "starting";
  const requests = run.totals?.requests ?? 0;
  if (isOver(run)) return requests === 0 && FAILED.has(run.state) ? "failed" : "report";
  return "live";
}

/** The engine's steps by the sentence they are filed under. */
const STEP_TEXTS = {
  process_started: "Locust started",
  ready: "Script loaded",
  test_start: "Users are being started",
  first_request: "First request",
};

/** @returns {(code: string) => object|undefined} finds the event of a step */
export function stepFinder(events) {
  const steps = events.filter((event) => event.kind === "step");
  return (code) => steps.find((event) => event.data?.step === code || event.text === STEP_TEXTS[code]);
}

/**
 * The way from the queue to the first request, each step done or not.
 * @param {(code: string) => {at: string}|undefined} eventOf the event of a step, when one came
 */
export function stepsOf(run, eventOf) {
  const order = ["queued", "claimed", "starting", "running", "stopping"];
  const place = isOver(run) ? order.length : order.indexOf(run.state);
  const step = (code, done) => {
    const event = eventOf(code);
    return { code, done: done || Boolean(event), at: event?.at ?? null };
  };
  const steps = [
    step("claimed", place >= 1),
    step("process_started", false),
    step("ready", place >= 3),
    step("test_start", Boolean(run.started_at)),
    step("first_request", (run.totals?.requests ?? 0) > 0),
  ];
  // A later step that is done proves the ones before it, whichever events were seen.
  for (let i = steps.length - 2; i >= 0; i -= 1) steps[i].done ||= steps[i + 1].done;
  return steps;
}

/** Seconds of load so far, or in all, on the server's clock. */
export function elapsed(run, serverNow) {
  if (!run.started_at) return 0;
  const end = run.finished_at ? Date.parse(run.finished_at) : serverNow;
  return Math.max(0, (end - Date.parse(run.started_at)) / 1000);
}

/**
 * Where the load is going at a moment, and how fast: as somebody said, else as planned.
 * @param {number} second since the start
 * @returns {{users: number, rate: number}}
 */
export function goalOf(run, second) {
  let begin = 0;
  const stage = run.stages?.find(({ duration }) => second < (begin += duration)) ?? run.stages?.at(-1) ?? run;
  return { users: run.steering?.users ?? stage.users, rate: run.steering?.spawn_rate ?? stage.spawn_rate };
}

/**
 * Users asked for at a moment of the run: Locust's ramp up to the target, or the stages one after the other.
 * @param {number} second since the start
 */
export function askedUsers(run, second) {
  const stages = run.stages?.length
    ? run.stages
    : [{ duration: run.run_time_s ?? Infinity, users: run.users, spawn_rate: run.spawn_rate }];
  let users = 0;
  let begin = 0;
  for (const stage of stages) {
    const seconds = Math.floor(Math.max(0, Math.min(second - begin, stage.duration))) + 1; // the first batch comes at once
    const room = stage.users - users;
    users += Math.sign(room) * Math.min(Math.abs(room), seconds * (stage.spawn_rate || Infinity));
    begin += stage.duration;
    if (second < begin) break;
  }
  return Math.round(users);
}
