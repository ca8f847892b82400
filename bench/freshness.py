"""From the end of a request at the target until a person sees it counted on the page of the run.

The page of a live run is open in Chromium, as its reader would have it. An observer in the page waits for changes of
the number of requests that the page itself writes (charts are drawn in the same frame, before it), and notes the time
at the following frame: then the change is on the screen. The k-th request to be done, by the UTC time in the target's
own log, has become visible when the page first showed k or more. Both clocks are this machine's. Every request after
the page was open is counted, none is left out.

On the way to the page is its live line, the WebSocket, which tells each second; from it the same is read when Chromium
has received a message.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Sequence

from bench.browser import logged_in
from bench.figures import Figure, percentile
from bench.place import Place, run_of, say, script
from bench.start import requests_in
from tests.e2e.stack import TERMINAL, demo_target

USERS = 20
ENDPOINTS = 100
RUN_SECONDS = 45
LOOK_MS = 200
END_MS = 3_000
"""For the last second to reach the page."""
SHARES = (0.95, 0.99)
P95_SECONDS, P99_SECONDS = 1.5, 2.0
NUMBER = '[data-number="rps"] span'

WATCH = """
selector => {
  window.shown = [];
  const place = document.querySelector(selector);
  const note = () => {
    const count = Number(place.textContent.replace(/\\D/g, ""));
    requestAnimationFrame(() => window.shown.push([(performance.timeOrigin + performance.now()) / 1000, count]));
  };
  new MutationObserver(note).observe(place, { childList: true, characterData: true, subtree: true });
}
"""

Shown = tuple[float, int]
"""When which number of requests was shown, or told."""


def measure(place: Place) -> list[Figure]:
    return watched(place, "freshness")


def watched(place: Place, name: str, workers: int = 1) -> list[Figure]:
    """What somebody sees of a run of so many workers; all together have as many users."""
    stack, folder = place.stack, place.new_folder(f"freshness-{workers}")
    told = Told()
    with demo_target(folder) as target, logged_in(stack) as page:
        page.on("websocket", lambda socket: socket.on("framereceived", told.hear))
        load = {
            "users": USERS,
            "spawn_rate": USERS,
            "run_time": f"{RUN_SECONDS}s",
            "env": {"ENDPOINTS": str(ENDPOINTS)},
            "collector": "exact",
        }
        scenario = stack.scenario(script("paced"), host=target.url, **load)
        with run_of(stack, scenario, workers=workers) as run_id:
            page.goto(f"{stack.url}/runs/{run_id}/")
            page.evaluate(WATCH, NUMBER)
            say(f"{name}: watching a run for {RUN_SECONDS} s")
            page.wait_for_timeout(RUN_SECONDS * 1000)
            while stack.run(run_id)["state"] not in TERMINAL:
                page.wait_for_timeout(LOOK_MS)  # and hear meanwhile: what waits for us is told too late
            page.wait_for_timeout(END_MS)
            shown: list[Shown] = [(at, count) for at, count in page.evaluate("window.shown")]
    done = [at for at, _ in requests_in(folder)]
    assert shown, "the page never showed how many requests there were; is everything in node_modules?"
    return [
        *_figures(f"{name}: done → in the live line", lags(done, told.counts), len(done), with_budget=False),
        *_figures(f"{name}: done → on the page", lags(done, shown), len(done), with_budget=True),
    ]


class Told:
    """The number of requests by what comes down the live line of a page."""

    def __init__(self) -> None:
        self.counts: list[Shown] = []

    def hear(self, text: str | bytes) -> None:
        at, message = time.time(), json.loads(text)
        match message:
            case {"type": "snapshot", "run": {"totals": totals}}:
                self.counts.append((at, int(totals.get("requests") or 0)))
            case {"type": "tick", "total": {"requests": int(requests)}} if self.counts:
                self.counts.append((at, self.counts[-1][1] + requests))


def _figures(name: str, found: Sequence[float], of: int, *, with_budget: bool) -> list[Figure]:
    assert found, f"{name}: never"
    budgets = {0.95: P95_SECONDS, 0.99: P99_SECONDS} if with_budget else {}
    note = f"{len(found)} of {of} requests · longest {max(found):.2f} s"
    return [
        Figure(f"{name}, p50", percentile(found, 0.50), "s", note=note),
        *(Figure(f"{name}, p{share * 100:.0f}", percentile(found, share), "s", budgets.get(share)) for share in SHARES),
    ]


def lags(done: Sequence[float], shown: Sequence[Shown]) -> list[float]:
    """Seconds from the k-th request's end until a count of k or more was shown, for each k that ever was."""
    ends = sorted(done)
    reached: list[Shown] = []
    for at, count in shown:
        if not reached or count > reached[-1][1]:
            reached.append((at, count))
    counts = [count for _, count in reached]
    seen = min(len(ends), counts[-1] if counts else 0)
    return [reached[bisect_left(counts, k)][0] - ends[k - 1] for k in range(1, seen + 1)]
