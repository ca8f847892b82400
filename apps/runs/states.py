"""The states of a run and the ways between them, as data. `states.md` beside this file draws the same picture."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class State(TextChoices):
    """Where a run is. Few, for people; the `reason` carries the detail."""

    QUEUED = "queued", _("Queued")
    CLAIMED = "claimed", _("Claimed")
    STARTING = "starting", _("Starting")
    RUNNING = "running", _("Running")
    STOPPING = "stopping", _("Stopping")
    FINISHED = "finished", _("Finished")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")
    LOST = "lost", _("Lost")


TERMINAL = frozenset({State.FINISHED, State.STOPPED, State.FAILED, State.LOST})
ACTIVE = frozenset(State) - TERMINAL
HELD = frozenset({State.CLAIMED, State.STARTING, State.RUNNING, State.STOPPING})
"""A runner holds the lease."""

TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.CLAIMED, State.STOPPED, State.FAILED}),
    # Back to the queue when the lease runs out before Locust was started: nothing has happened yet.
    State.CLAIMED: frozenset({State.QUEUED, State.STARTING, State.STOPPED, State.FAILED}),
    State.STARTING: frozenset({State.RUNNING, State.STOPPING, State.FINISHED, State.STOPPED, State.FAILED, State.LOST}),
    State.RUNNING: frozenset({State.STOPPING, State.FINISHED, State.STOPPED, State.FAILED, State.LOST}),
    State.STOPPING: frozenset({State.FINISHED, State.STOPPED, State.FAILED, State.LOST}),
    State.FINISHED: frozenset(),
    State.STOPPED: frozenset(),
    State.FAILED: frozenset(),
    State.LOST: frozenset(),
}


class WorkerState(TextChoices):
    """Where a Locust worker of a run is."""

    WANTED = "wanted", _("Asked for")
    STARTING = "starting", _("Starting")
    READY = "ready", _("Ready")
    SILENT = "silent", _("Not heard of")
    LOST = "lost", _("Lost")
    ENDED = "ended", _("Ended")


WORKERS_ALIVE = frozenset({WorkerState.WANTED, WorkerState.STARTING, WorkerState.READY, WorkerState.SILENT})
WORKERS_IN_PLACE = WORKERS_ALIVE | {WorkerState.LOST}
"""They take a slot, also one that is lost, until its process is known to be gone (`RunWorker.ended_at`)."""


class Verdict(TextChoices):
    """What the numbers say; independent of how the run ended."""

    NONE = "none", _("No verdict")
    PASSED = "passed", _("Passed")
    FAILED = "failed", _("Failed")
    INVALID = "invalid", _("Invalid")


REASONS = {
    "run_time_over": _("The run time was over."),
    "stop_requested": _("Somebody stopped it."),
    "abort_requested": _("Somebody aborted it; the last seconds may be missing."),
    "deploy": _("The runner was shut down for a deploy and ended the run in good order."),
    "script_quit": _("The script ended the test itself."),
    "locustfile_error": _("The script could not be started."),
    "no_user_class": _("The script has no user class to run."),
    "no_requests": _("Locust ran, but not one request was made."),
    "timeout": _("It did not end by itself after its run time and was ended from outside."),
    "locust_killed": _("The Locust process was killed from outside the portal."),
    "locust_crashed": _("The Locust process ended with an error."),
    "host_lost": _("The runner that owned it was lost; what had been collected is kept."),
    "refused": _("The load asked for is outside the limits."),
    "no_room": _("There was no room for it in the pool, and it was not to wait."),
    "workers_missing": _("Not all of its workers came."),
    "worker_lost": _("One of its workers was lost, and it was to end then."),
    "runner_error": _("The runner could not carry it out; its log has the details."),
}
"""Stable codes with a sentence for people; all of the engine's are among them. Empty means: nothing to explain yet."""

INVALID_REASONS = {
    "counts_differ": _("The collected requests and Locust's own total differ by more than 0.1 %."),
    "no_final_totals": _("Locust did not get to write its final numbers."),
    "generator_cpu": _("The load generator's CPU was too hot: it may have measured itself."),
    "users_not_reached": _("The users asked for were never reached."),
    "collector_gap": _("Live figures are missing, or came late, for a part of the run."),
    "worker_lost": _("A worker was lost, or could not be reached for a while."),
}
