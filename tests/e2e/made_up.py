"""A run of eight workers that nobody ran, in a portal's database: `python -m tests.e2e.made_up STATE SCENARIO`.

One worker is lost, one of its IDs was used twice. Prints the id of the run; `STATE` is that of the run.
"""

from __future__ import annotations

import math
import os
import sys
import time
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from django.db.models import F  # noqa: E402
from django.utils import timezone  # noqa: E402

from apps.pools.models import WorkerPool  # noqa: E402
from apps.runs import identities, tiers  # noqa: E402
from apps.runs.blocks import TOTAL, Row  # noqa: E402
from apps.runs.models import Endpoint, LogChunk, Run, RunEvent, RunWorker  # noqa: E402
from apps.scenarios.models import Scenario  # noqa: E402
from apps.teams.models import Project  # noqa: E402
from tests.runs.makers import timed  # noqa: E402
from workers.identity import Summary  # noqa: E402
from workers.samples import Health  # noqa: E402

WORKERS, USERS, SECONDS, LOST, LOST_AT = 8, 500, 120, 5, 70


def main(state: str, scenario_id: str) -> None:
    scenario = Scenario.objects.get(pk=scenario_id)
    version = scenario.versions.get(number=1)
    pool, _ = WorkerPool.objects.get_or_create(name="far-away")  # no runner there takes it
    first_t = int(time.time()) - SECONDS - 30
    Project.objects.filter(pk=scenario.project_id).update(last_run_number=F("last_run_number") + 1)
    run = Run.objects.create(
        project=scenario.project, scenario=scenario, version=version, pool=pool, requested_by="user:demo",
        number=Project.objects.get(pk=scenario.project_id).last_run_number, workers=WORKERS,
        users=USERS, spawn_rate=50, run_time_s=SECONDS, id_prefix="test_", id_width=5, state=state,
        lease_until=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    if state == "queued":
        _write(run, waits_for="8 workers are asked for, 3 slots are free: host-b and host-c have none.")
    else:
        _workers(run, state, first_t)
    if state in ("running", "finished"):
        _measured(run, state, first_t)
    print(run.pk)


def _write(run: Run, **fields: object) -> None:
    Run.objects.filter(pk=run.pk).update(**fields)


def share(index: int) -> tuple[int, int]:
    """First number and count of a worker's users."""
    first = index * USERS // WORKERS
    return first, (index + 1) * USERS // WORKERS - first


def _workers(run: Run, state: str, first_t: int) -> None:
    for index in range(WORKERS):
        offset, users = share(index)
        row = RunWorker(run=run, index=index, host_name=f"host-{'abc'[index % 3]}", runner=f"host-{index % 3}/17",
                        users=users, offset=offset, starts=1, state="ready")  # fmt: skip
        if state == "starting" and index >= 3:
            row.state, row.starts = ("starting", 1) if index < 6 else ("wanted", 0)
        if state in ("running", "finished"):
            _busy(row, first_t, is_over=state == "finished")
        row.save()


def _busy(row: RunWorker, first_t: int, *, is_over: bool) -> None:
    seconds = LOST_AT if row.index == LOST else SECONDS
    row.last_seq, row.last_t = seconds, first_t + seconds - 1
    row.current_users = 0 if is_over or row.index == LOST else row.users
    row.totals = {"requests": 40 * seconds, "failures": 12 if row.index == 2 else 0}
    row.generator = {"cpu_percent": 31.0 + 9 * row.index, "rss_bytes": (90 + 4 * row.index) * 2**20}
    row.link = {"state": "heard", "since": first_t}
    row.ids_in_use = row.current_users
    row.state = "ended" if is_over else "ready"
    if row.index == LOST:
        row.state, row.reason = "lost", "Neither its master nor the database heard of it."
        row.link = {"state": "silent", "since": first_t + LOST_AT}
    row.clock_offset_ms = -320.0 if row.index == 1 else 4.0
    row.starts = 2 if row.index == 3 else 1


def _measured(run: Run, state: str, first_t: int) -> None:
    Endpoint.objects.create(run=run, index=0, method="GET", name="/api/products", totals={"requests": 36_400})
    for index in range(WORKERS):
        rows = [_second(index, seq, first_t) for seq in range(1, (LOST_AT if index == LOST else SECONDS) + 1)]
        tiers.append(run.pk, rows, worker=index)
        identities.store(run.pk, index, _journal(index, first_t))
        _log(run, index)
    tiers.close_all(run.pk)
    began = timezone.now() - timedelta(seconds=SECONDS + 30)
    for code, at in (("worker_away", LOST_AT), ("worker_lost", LOST_AT + 20)):
        text = {
            "worker_away": "is not heard of.",
            "worker_lost": "is lost: neither its master nor the database hears of it.",
        }
        RunEvent.objects.create(run=run, kind="warning", text=f"Worker {LOST + 1} on host-c {text[code]}",
                                at=began + timedelta(seconds=at), data={"code": code, "worker": LOST})  # fmt: skip
    requests = 40 * (SECONDS * (WORKERS - 1) + LOST_AT)
    totals = {"requests": requests, "failures": 12, "rps": requests / SECONDS, "p95_ms": 60.0}
    over = {"finished_at": began + timedelta(seconds=SECONDS)} if state == "finished" else {}
    _write(run, started_at=began, first_t=first_t, last_seq=SECONDS, totals=totals, peak_users=USERS,
           last_tick_at=began + timedelta(seconds=SECONDS), **over)  # fmt: skip


def _log(run: Run, index: int) -> None:
    head = f"[2026-11-21 04:12:5{index},123] host-{'abc'[index % 3]}"
    lines = [f"{head}/INFO/locust.main: Starting Locust, worker {index + 1}"]
    lines += [f"{head}/WARNING/script: slow <b>{number}</b>" for number in range(index)]
    LogChunk.objects.create(run=run, worker=index, seq=len(lines), text="\n".join(lines))


def _second(index: int, seq: int, first_t: int) -> Row:
    users = min(share(index)[1], seq * 3)
    count = max(1, round(40 * users / share(index)[1] + 6 * math.sin(seq / 6 + index)))
    health = Health(
        target_users=share(index)[1],
        in_flight=4,
        oldest_ms=40.0,
        lag_ms=5.0 + index + 3 * math.sin(seq),
        cpu_percent=31 + 9 * index + 4 * math.cos(seq / 5),
        rss_bytes=(80 + 4 * index) * 2**20 + seq * 2**16,
        open_files=40,
    )
    times = [20.0 + index] * (count - 1) + [60.0]
    return Row(seq, first_t + seq - 1, users, 1, (timed(TOTAL, times), timed(0, times)), health=health)


def _journal(index: int, first_t: int) -> Summary:
    first, users = share(index)
    lease = [float(first_t), float(first_t + SECONDS), 0]
    ids: list[object] = [[number, 1, [lease], [[1, 40]], 0] for number in range(first + 1, first + users + 1)]
    if index == 0:
        ids[4] = [first + 5, 1, [lease], [[1, 17], [20, 40]], 0]
        stolen = share(LOST)[0] + 1
        ids.append([stolen, 1, [[float(first_t + 90), float(first_t + 110), 0]], [], 0])
    counts = dict.fromkeys(("unlisted", "left_out", "hidden_duplicates", "refused", "missing"), 0)
    return {"ids": ids, "classes": ["Student"], "until": float(first_t + SECONDS), **counts}


main(*sys.argv[1:])
