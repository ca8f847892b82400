"""What is in a locustfile: asked of a short-lived child process, since a locustfile is a program of somebody else's."""

from __future__ import annotations

import json
import math
import re
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers import command, sandbox
from workers.command import LOCUSTFILE, RunFolder
from workers.diagnosis import Diagnosis, check_syntax, from_traceback
from workers.folders import remove_tree
from workers.launch import MIB, make_folders
from workers.process import LocustProcess
from workers.spec import RunSpec
from workers.tail import clean_text, read_bounded

TIMEOUT_SECONDS = 15.0
TELL_BEFORE_SECONDS = 0.5
POLL_SECONDS = 0.02
MAX_RESULT_BYTES = 4 * MIB
MAX_LOG_BYTES = 1 * MIB
MAX_TEXT_CHARS = 500
MAX_ITEMS = 500
LIMITS = {"CORE": 0, "NOFILE": 4_096, "FSIZE": 16 * MIB, "AS": 4_096 * MIB, "CPU": 60}
"""Kernel limits of the child: bytes, and seconds of processor time, for which the wall clock is stricter by default."""

_HANGS_AT = re.compile(rf'File "[^"\n]*/{re.escape(LOCUSTFILE)}", line (\d{{1,7}})')


@dataclass(frozen=True, slots=True)
class TaskInfo:
    name: str
    weight: int
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserClass:
    """`host` is empty, and `has_wait_time` false, when the class says nothing of its own."""

    name: str
    weight: float
    fixed_count: int
    host: str
    has_wait_time: bool
    tasks: tuple[TaskInfo, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """Either problems, or at least one user class. `own_shape` names a load shape in the file, else is empty."""

    problems: tuple[Diagnosis, ...] = ()
    user_classes: tuple[UserClass, ...] = ()
    own_shape: str = ""
    locust: str = ""

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(sorted({tag for kind in self.user_classes for task in kind.tasks for tag in task.tags}))


def inspect(locustfile: str, *, env: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_SECONDS) -> Inspection:
    """Import `locustfile` in a child with `env` as its own variables. Raises OSError when no child can be started.

    Takes about a second, most of it Locust's own import. The text is never imported in this process.
    """
    wrong = check_syntax(locustfile)
    if wrong is not None:
        return Inspection(problems=(wrong,))
    sandbox.protect_supervisor()
    scratch = Path(tempfile.mkdtemp(prefix="hatchery-inspect-")).resolve()
    try:
        return _inspect(locustfile, RunFolder(scratch), env or {}, timeout_s)
    finally:
        remove_tree(scratch)


def _inspect(locustfile: str, folder: RunFolder, env: Mapping[str, str], timeout_s: float) -> Inspection:
    make_folders(folder)
    folder.locustfile.write_bytes(locustfile.encode("utf-8"))
    folder.launch.write_text(json.dumps(_config(folder, timeout_s)), encoding="ascii")
    spec = RunSpec(run_id="inspection", locustfile=locustfile, users=1, spawn_rate=1, run_time_s=1, env=env)
    process = LocustProcess(
        command.launcher(folder), command.environment(spec, folder), cwd=folder.script, log=folder.log
    )
    try:
        exit_code = _wait(process, timeout_s)
    finally:
        process.kill()
    data = read_bounded(folder.inspection, MAX_RESULT_BYTES)
    if data is None:
        return Inspection(problems=(_no_answer(folder, exit_code, timeout_s),))
    return _read(data)


def _config(folder: RunFolder, timeout_s: float) -> dict[str, object]:
    return {
        "mode": "inspection",
        "limits": LIMITS,
        "locustfile": str(folder.locustfile),
        "inspection": str(folder.inspection),
        "tell_at": time.monotonic() + max(timeout_s - TELL_BEFORE_SECONDS, timeout_s / 2),
    }


def _wait(process: LocustProcess, timeout_s: float) -> int | None:
    deadline = time.monotonic() + timeout_s
    while (exit_code := process.poll()) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return exit_code


def _no_answer(folder: RunFolder, exit_code: int | None, timeout_s: float) -> Diagnosis:
    log = (read_bounded(folder.log, MAX_LOG_BYTES) or b"").decode("utf-8", "replace")
    if exit_code is None or exit_code == -signal.SIGXCPU:
        place = _HANGS_AT.search(log)
        line = int(place[1]) if place else None
        return Diagnosis("timeout", f"Importing the locustfile took longer than {timeout_s:g} seconds.", line)
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return Diagnosis("crashed", f"Python was ended by {name} while it imported the locustfile.")
    return Diagnosis("script_exited", f"The locustfile ended Python with exit code {exit_code} while it was imported.")


def _read(data: bytes) -> Inspection:
    """The child's answer, which the script may have forged: types and sizes are checked, nothing else is believed."""
    try:
        answer = json.loads(data)
        if "code" in answer:
            code = "script_exited" if answer["code"] == "script_exited" else "import_error"
            return Inspection(problems=(from_traceback(str(answer["traceback"]), code),))
        classes = tuple(_user_class(values) for values in answer["user_classes"][:MAX_ITEMS])
        own_shape, version = _text(answer["own_shape"]), _text(answer["locust"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return Inspection(problems=(Diagnosis("crashed", "The locustfile could not be inspected."),))
    if not classes:
        message = "It defines no class that inherits from User, HttpUser or FastHttpUser."
        return Inspection(problems=(Diagnosis("no_user_class", message),), own_shape=own_shape, locust=version)
    return Inspection(user_classes=classes, own_shape=own_shape, locust=version)


def _user_class(values: Mapping[str, Any]) -> UserClass:
    return UserClass(
        name=_text(values["name"]),
        weight=_finite(values["weight"]),
        fixed_count=int(values["fixed_count"]),
        host=_text(values["host"]),
        has_wait_time=values["has_wait_time"] is True,
        tasks=tuple(_task(task) for task in values["tasks"][:MAX_ITEMS]),
    )


def _finite(value: float) -> float:
    """JSON as Python reads it has NaN and infinite numbers; JSON as everybody else writes it has not."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def _task(values: Mapping[str, Any]) -> TaskInfo:
    tags = tuple(_text(tag) for tag in values["tags"][:MAX_ITEMS])
    return TaskInfo(_text(values["name"]), int(values["weight"]), tags)


def _text(value: str) -> str:
    return clean_text(value, MAX_TEXT_CHARS)
