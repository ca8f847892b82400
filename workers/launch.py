"""Makes a run's folder ready for the child."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import IO

from workers import datafiles
from workers.command import RunFolder
from workers.samples import MAX_ENDPOINTS, MAX_ERRORS, MAX_NAME_CHARS, OTHER
from workers.spec import MAX_USERS, DataFileSpec, MasterPart, RunSpec, Steering, WorkerPart
from workers.swarm import Orders

MIB = 1024 * 1024
RUN_LIMITS = {"CORE": 0, "NOFILE": 65_536, "FSIZE": 4096 * MIB, "AS": 16_384 * MIB}
"""Kernel limits of a run's processes. Locust maps 0.9 GB before it makes any load; NPROC would count the portal's own
processes while both have the same user id."""


Open = Callable[[DataFileSpec], IO[bytes]]
"""The content of a data file."""


def prepare(spec: RunSpec, folder: RunFolder, open_data: Open | None = None) -> None:
    """Make the run's folder and write what the child reads. The folder must not exist, or be empty."""
    make_folders(folder)
    for file in spec.data:
        if open_data is None:
            raise ValueError(f"nobody knows what is in {file.name}")
        with open_data(file) as source, (folder.script / file.name).open("wb") as target:
            if isinstance(spec.part, MasterPart):  # it has no users; its script may look into the file all the same
                datafiles.place(source, target, file, 0, 1)
            else:
                datafiles.place(source, target, file, spec.own_block.index, spec.workers)
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
        "clock_offset_s": spec.clock_offset_s,
        "stages": [(stage.duration_s, stage.users, stage.spawn_rate) for stage in spec.stages],
        "collector": spec.collector,
        "group_ids": spec.group_ids,
        "env_names": list(spec.env),
        "samples": str(folder.samples),
        "failed": str(folder.failed),
        "steering": str(folder.steering),
        "orders": str(folder.orders),
        "events": str(folder.events),
        "final": str(folder.final),
        "names": {
            "max_endpoints": MAX_ENDPOINTS,
            "max_name_chars": MAX_NAME_CHARS,
            "max_errors": MAX_ERRORS,
            "other": OTHER,
        },
        "swarm": _swarm(spec),
        "identity": _identity(spec, folder),
    }


def _identity(spec: RunSpec, folder: RunFolder) -> dict[str, object] | None:
    """What a process with users knows of their IDs; see `child/identity.py`."""
    if isinstance(spec.part, MasterPart):
        return None
    blocks = [(block.first, block.last) for block in spec.blocks or (spec.own_block,)]
    if not spec.part and not spec.ids_are_leased:
        blocks = [(1, MAX_USERS)]  # it may come to more users than it began with
    return {
        "spans": [] if spec.part else blocks,  # the master says
        "blocks": blocks,
        "journal": str(folder.ids),
        "counters": spec.counters or str(folder.out / "sequences"),
        "files": {file.name: (file.distribution, file.at_end) for file in spec.data},
    }


def _swarm(spec: RunSpec) -> dict[str, object] | None:
    """What a process must know of the others; see `child/roles.py`."""
    match spec.part:
        case MasterPart() as part:
            keys = {name: value for name, value in asdict(part.keys).items() if name != "client_secret"}
            blocks = [(block.index, block.offset, block.users) for block in part.blocks]
            return {"role": "master", "keys": keys, "ports": part.ports, "blocks": blocks}
        case WorkerPart() as part:
            keys = {name: value for name, value in asdict(part.keys).items() if name != "server_secret"}
            whoami = {"index": spec.own_block.index, "start": part.start}
            return {"role": "worker", "keys": keys, **whoami}
        case None:
            return None


def write_steering(folder: RunFolder, steering: Steering) -> None:
    """Tell the child what people want now. Raises OSError."""
    _leave(folder.steering.name, folder, asdict(steering))


def write_orders(folder: RunFolder, orders: Orders) -> None:
    """Tell a master what becomes of its workers. Raises OSError."""
    _leave(folder.orders.name, folder, {**asdict(orders), "quotas": sorted(orders.quotas.items())})


def _leave(name: str, folder: RunFolder, document: Mapping[str, object]) -> None:
    """In one step, so that the child never reads half of it. The script may have put links in the place of the file
    and of its folder."""
    scratch = f"{name}.tmp"
    parent = os.open(folder.out, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            os.unlink(scratch, dir_fd=parent)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(document, file, allow_nan=False)
        os.replace(scratch, name, src_dir_fd=parent, dst_dir_fd=parent)
    finally:
        os.close(parent)
