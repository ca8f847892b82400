"""How long somebody waits for the first chart of a day of 100 endpoints at 1,000 requests a second, in Chromium.

The day is that of `bench/day.py`; the portal runs on its database. What counts is the time from the beginning of the
navigation to the end of the frame in which the response times are drawn, with scripts and styles from the browser's own
cache, as whoever has opened a run before has them. A window of two hours is opened by its address; it counts when its
numbers are there as well, and has no budget.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from playwright.sync_api import Page

from apps.core.supervise.stack import BASE_DIR
from bench import day
from bench.browser import logged_in
from bench.figures import Figure, of_spread
from bench.place import Place, say
from tests.e2e.stack import Stack, portal

TIMES = 7
BUDGET_MS = 1_000.0
WINDOW_SECONDS, WINDOW_AFTER = 2 * 3_600, 5 * 3_600 + 1_237
MOST_MS = 30_000
LET_IN = """
from apps.runs.models import Run
from apps.teams.models import Membership
run = Run.objects.filter(requested_by="bench").latest("id")
user = Membership.objects.earliest("id").user
Membership.objects.get_or_create(team=run.project.team, user=user, role="viewer")
print(run.pk, int(run.started_at.timestamp()))
"""
DRAWN = """
() => new Promise((resolve) => {
  const look = () => {
    const card = document.querySelector("[data-chart=latency]");
    const isDrawn = card?.querySelector(".uplot canvas") && card.querySelector("[data-empty]").hidden;
    const isSummedUp = !location.hash || document.querySelector("[data-window-loading]")?.hidden;
    if (!isDrawn || !isSummedUp) return;
    watcher.disconnect();
    setTimeout(() => resolve(performance.now())); // the first task after this frame was painted
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document, { subtree: true, childList: true, attributes: true });
  look();
})
"""


def measure(place: Place) -> list[Figure]:
    database = day.filed(place)
    with portal(place.new_folder("opening"), f"sqlite:///{database}") as stack:
        run_id, start = let_in(stack)
        begin = start + WINDOW_AFTER
        window = f"#from={begin}&to={begin + WINDOW_SECONDS - 1}"
        with logged_in(stack) as page:
            whole = opened(page, f"{stack.url}/runs/{run_id}/")
            part = opened(page, f"{stack.url}/runs/{run_id}/{window}")
    return [
        of_spread("opening: a day in Chromium, navigation → first chart", whole, "ms", budget=BUDGET_MS),
        of_spread("opening: a window of 2 h of it, with all its numbers", part, "ms"),
    ]


def let_in(stack: Stack) -> tuple[str, int]:
    """Make the demo user one of the day's team; the run's id and start."""
    command = [sys.executable, "-W", "ignore", "manage.py", "shell", "-c", LET_IN]
    done = subprocess.run(command, cwd=BASE_DIR, env=stack.env, check=True, stdout=subprocess.PIPE, text=True)
    run_id, start = done.stdout.split()[-2:]
    return run_id, int(start)


def opened(page: Page, url: str) -> Sequence[float]:
    """Milliseconds of each time but the first, which fills the cache."""
    took = []
    for _ in range(TIMES + 1):
        page.goto("about:blank")
        page.goto(url, wait_until="commit")
        took.append(float(page.evaluate(DRAWN)))
        page.wait_for_load_state("networkidle", timeout=MOST_MS)
    say(f"opening: the first time {took[0]:.0f} ms")
    return took[1:]
