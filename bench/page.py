"""Whether the page of a live run stays quick and small: frames a second and the memory of its script over ten minutes.

Fifty endpoints are on, as many lines as the charts take. The page counts its own frames with requestAnimationFrame, so
a second in which the main thread was busy shows as one with few of them. Beside it stand the longest wait between two
frames and the processor time of the main thread itself: on a machine with other things to do, frames are late through
no fault of the page. Memory is what is left in the heap of the page's script after a collection, once a minute. A run's
seconds are kept by the page up to a fixed number, so some growth within the first hour is by design: bounded and small.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from playwright.sync_api import CDPSession, Page

from bench.browser import logged_in
from bench.figures import Figure, of_spread, percentile, spread
from bench.place import Place, quiet_target, run_of, say, script

MINUTES = int(os.environ.get("PAGE_MINUTES", "10"))
USERS = 20
ENDPOINTS = 50
LEAST_FRAMES = 30
MOST_GROWTH_MB = 10.0
"""From the end of the first minute to the end of the last."""
WARM_MS = 15_000
MINUTE_MS = 60_000
MB = 1_000_000

COUNT_FRAMES = """
() => {
  let second = Math.floor(performance.now() / 1000), count = 0, last = performance.now();
  const note = now => {
    const frames_seen = (window.frames_seen ??= { seconds: [], longest: 0 });
    frames_seen.longest = Math.max(frames_seen.longest, now - last);
    last = now;
    const here = Math.floor(now / 1000);
    if (here !== second) {
      frames_seen.seconds.push(count, ...new Array(here - second - 1).fill(0));
      [second, count] = [here, 0];
    }
    count += 1;
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
}
"""
FORGET = "window.frames_seen = null"


@dataclass
class Watched:
    """What a page did while it was watched."""

    frames: list[int] = field(default_factory=list)
    """In each second."""
    longest_ms: float = 0.0
    busy_ms: list[float] = field(default_factory=list)
    """Processor time of the main thread in a second, over each minute."""
    heap_mb: list[float] = field(default_factory=list)
    """At the end of each minute, after a collection; the first is of the beginning."""


def measure(place: Place) -> list[Figure]:
    stack, folder = place.stack, place.new_folder("page")
    with quiet_target(folder) as target, logged_in(stack) as page:
        seconds = MINUTES * 60 + 60
        load = {"users": USERS, "spawn_rate": USERS, "run_time": f"{seconds}s", "env": {"ENDPOINTS": str(ENDPOINTS)}}
        scenario = stack.scenario(script("paced"), host=target.url, **load)
        with run_of(stack, scenario) as run_id:
            page.goto(f"{stack.url}/runs/{run_id}/")
            page.wait_for_timeout(WARM_MS)
            lines = switch_all_on(page)
            say(f"page: watching {lines} lines for {MINUTES} min")
            seen = watch(page, MINUTES)
    assert lines == ENDPOINTS, f"only {lines} lines could be switched on"
    return figures(seen)


def switch_all_on(page: Page) -> int:
    """A line for each endpoint; how many there are."""
    boxes = page.locator("#panel-endpoints tbody input[type=checkbox]")
    for place in range(boxes.count()):
        if not boxes.nth(place).is_checked():
            boxes.nth(place).check()
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.wait_for_timeout(3_000)
    return page.locator("#panel-endpoints tbody input:checked").count()


def watch(page: Page, minutes: int) -> Watched:
    """Leave the page alone, and look at its memory once a minute."""
    page.evaluate(COUNT_FRAMES)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    seen = Watched(heap_mb=[heap_mb(session)])
    for minute in range(minutes):
        page.evaluate(FORGET)  # a collection that was forced is no fault of the page
        before = busy_seconds(session)
        page.wait_for_timeout(MINUTE_MS)
        seen.busy_ms.append((busy_seconds(session) - before) / MINUTE_MS * 1_000_000)
        found = page.evaluate("window.frames_seen")
        frames = found["seconds"][1:]  # the first one had begun before
        seen.frames += frames
        seen.longest_ms = max(seen.longest_ms, found["longest"])
        seen.heap_mb.append(heap_mb(session))
        say(f"page: minute {minute + 1}: {seen.heap_mb[-1]:.1f} MB, {min(frames)} frames in the slowest second")
    return seen


def busy_seconds(session: CDPSession) -> float:
    """Processor time that the main thread has spent on tasks so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


def heap_mb(session: CDPSession) -> float:
    """What is in use after a collection, the numbers of typed arrays included."""
    session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    return float(usage["usedSize"] + usage["backingStorageSize"]) / MB


def figures(seen: Watched) -> list[Figure]:
    growth = seen.heap_mb[-1] - seen.heap_mb[1]
    course = " ".join(f"{value:.1f}" for value in seen.heap_mb)
    return [
        Figure(
            f"page: frames a second, {ENDPOINTS} endpoints live, p5 of all seconds",
            percentile(seen.frames, 0.05),
            budget=LEAST_FRAMES,
            bound="least",
            note=spread(seen.frames),
        ),
        Figure("page: longest wait between two frames", seen.longest_ms, "ms"),
        of_spread("page: processor time of the main thread, each second", seen.busy_ms, "ms"),
        Figure(f"page: heap grown, minute 1 to {MINUTES}", growth, "MB", budget=MOST_GROWTH_MB, note=f"MB: {course}"),
    ]
