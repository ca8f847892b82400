"""Imports a locustfile without running it, and writes down what is in it; read by `workers/inspection.py`."""

import faulthandler
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import locust
from locust.user.task import TaskSet
from locust.util.load_locustfile import load_locustfile

from . import recorder
from .exact.values import clean

MIN_TELL_SECONDS = 0.1
MAX_CLASSES = 100
MAX_TASKS = 500
MAX_DEPTH = 10
MAX_TEXT_CHARS = 500
MAX_TRACEBACK_CHARS = 40_000


def main(config: dict[str, Any]) -> None:
    # Says on stderr where a script hangs, shortly before it is killed for that.
    faulthandler.dump_traceback_later(max(MIN_TELL_SECONDS, config["tell_at"] - time.monotonic()), file=sys.stderr)
    try:
        result = look(config["locustfile"])
    except BaseException as error:  # also SystemExit: a script may leave while it is imported
        result = failure(error)
    recorder.write_atomically(Path(config["inspection"]), result)
    sys.stdout.flush()
    os._exit(0)  # threads or exit handlers of the script have no say


def look(locustfile: str) -> dict[str, object]:
    found, shapes = load_locustfile(locustfile)
    own = [(name, kind) for name, kind in found.items() if not is_locusts(kind)]
    return {
        "locust": locust.__version__,
        "user_classes": [user_class(name, kind) for name, kind in own[:MAX_CLASSES]],
        "own_shape": next((text(type(shape).__name__) for shape in shapes if not is_locusts(type(shape))), ""),
    }


def is_locusts(kind: type) -> bool:
    """Whether a class came with Locust and was only imported by the file."""
    return kind.__module__.partition(".")[0] == "locust"


def user_class(name: str, kind: Any) -> dict[str, object]:
    tasks = list(kind.tasks)
    weights = Counter(map(id, tasks))
    distinct = list({id(task): task for task in tasks}.values())[:MAX_TASKS]
    return {
        "name": text(name),
        "weight": number(kind.weight),
        "fixed_count": int(number(kind.fixed_count)),
        "host": text(kind.host or ""),
        "has_wait_time": kind.wait_time is not locust.User.wait_time,
        "tasks": [
            {
                "name": text(getattr(task, "__name__", task)),
                "weight": weights[id(task)],
                "tags": sorted(set(tags(task))),
            }
            for task in distinct
        ],
    }


def tags(task: Any, depth: int = 0) -> Iterator[str]:
    """Tags of a task, or of all tasks in a TaskSet."""
    yield from (text(tag) for tag in getattr(task, "locust_tag_set", ()))
    if isinstance(task, type) and issubclass(task, TaskSet) and depth < MAX_DEPTH:
        for inner in task.tasks:
            yield from tags(inner, depth + 1)


def failure(error: BaseException) -> dict[str, object]:
    lines = "".join(traceback.format_exception(error))
    kind = "script_exited" if isinstance(error, (SystemExit, KeyboardInterrupt)) else "import_error"
    return {"code": kind, "traceback": lines[-MAX_TRACEBACK_CHARS:].encode("utf-8", "backslashreplace").decode()}


def text(value: object) -> str:
    return clean(value, MAX_TEXT_CHARS)


def number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e9 else 0.0
