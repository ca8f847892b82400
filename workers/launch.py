"""Makes a run's folder ready for the child."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict

from workers.command import RunFolder
from workers.samples import MAX_ENDPOINTS, MAX_ERRORS, MAX_NAME_CHARS, OTHER
from workers.spec import RunSpec, Steering

MIB = 1024 * 1024
RUN_LIMITS = {"CORE": 0, "NOFILE": 65_536, "FSIZE": 4096 * MIB, "AS": 16_384 * MIB}
"""Kernel limits of a run's processes. Locust maps 0.9 GB before it makes any load; NPROC would count the portal's own
processes while both have the same user id."""


def prepare(spec: RunSpec, folder: RunFolder) -> None:
    """Make the run's folder and write what the child reads. The folder must not exist, or be empty."""
    make_folders(folder)
    folder.locustfile.write_bytes(spec.locustfile.encode("utf-8"))
    folder.launch.write_text(json.dumps(launch_config(spec, folder)), encoding="ascii")


def make_folders(folder: RunFolder) -> None:
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for child in (folder.script, folder.home, folder.tmp, folder.out):
        child.mkdir(mode=0o700)


def launch_config(spec: RunSpec, folder: RunFolder) -> dict[str, object]:
    """What our own code in the child must know; see `child/run.py`."""
    return {
        "mode": "run",
        "limits": RUN_LIMITS,
        "run_time_s": spec.duration_s,
        "stages": [(stage.duration_s, stage.users, stage.spawn_rate) for stage in spec.stages],
        "collector": spec.collector,
        "group_ids": spec.group_ids,
        "env_names": list(spec.env),
        "samples": str(folder.samples),
        "failed": str(folder.failed),
        "steering": str(folder.steering),
        "events": str(folder.events),
        "final": str(folder.final),
        "names": {
            "max_endpoints": MAX_ENDPOINTS,
            "max_name_chars": MAX_NAME_CHARS,
            "max_errors": MAX_ERRORS,
            "other": OTHER,
        },
    }


def write_steering(folder: RunFolder, steering: Steering) -> None:
    """Tell the child what people want now: in one step, so that it never reads half of it. Raises OSError.

    The script may have put links in the place of the file and of its folder.
    """
    name, scratch = folder.steering.name, f"{folder.steering.name}.tmp"
    parent = os.open(folder.out, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            os.unlink(scratch, dir_fd=parent)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(asdict(steering), file, allow_nan=False)
        os.replace(scratch, name, src_dir_fd=parent, dst_dir_fd=parent)
    finally:
        os.close(parent)
