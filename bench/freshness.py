"""From the end of a request at the target until a person sees it counted on the page of the run.

The page of a live run is open in Chromium, as its reader would have it. An observer in the page waits for changes of
the number of requests that the page itself writes (charts are drawn in the same frame, before it), and notes the time
at the following frame: then the change is on the screen. The k-th request to be done, by the UTC time in the target's
own log, has become visible when the page first showed k or more. Both clocks are this machine's. Every request after
the page was open is counted, none is left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from bench.browser import logged_in
from bench.figures import Figure, percentile
from bench.place import Place, run_of, say, script
from bench.start import requests_in
from tests.e2e.stack import demo_target

USERS = 20
ENDPOINTS = 100
RUN_SECONDS = 45
END_MS = 3_000
"""For the last second to reach the page."""
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
"""When the page showed which number of requests."""


def measure(place: Place) -> list[Figure]:
    stack, folder = place.stack, place.new_folder("freshness")
    with demo_target(folder) as target, logged_in(stack) as page:
        load = {
            "users": USERS,
            "spawn_rate": USERS,
            "run_time": f"{RUN_SECONDS}s",
            "env": {"ENDPOINTS": str(ENDPOINTS)},
            "collector": "exact",
        }
        scenario = stack.scenario(script("paced"), host=target.url, **load)
        with run_of(stack, scenario) as run_id:
            page.goto(f"{stack.url}/runs/{run_id}/")
            page.evaluate(WATCH, NUMBER)
            say(f"freshness: watching a run for {RUN_SECONDS} s")
            page.wait_for_timeout(RUN_SECONDS * 1000)
            stack.over(run_id)
            page.wait_for_timeout(END_MS)
            shown: list[Shown] = [(at, count) for at, count in page.evaluate("window.shown")]
    done = [at for at, _ in requests_in(folder)]
    found = lags(done, shown)
    assert found, "the page never showed how many requests there were; is everything in node_modules?"
    note = f"{len(found)} of {len(done)} requests · {len(shown)} frames · longest {max(found):.2f} s"
    return [
        Figure("freshness: done → on the page, p50", percentile(found, 0.50), "s", note=note),
        Figure("freshness: done → on the page, p95", percentile(found, 0.95), "s", budget=P95_SECONDS),
        Figure("freshness: done → on the page, p99", percentile(found, 0.99), "s", budget=P99_SECONDS),
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
