"""What keeps a script apart from the portal today, and an honest name for how much that is."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

# From <linux/prctl.h>.
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Level:
    """`letter` A isolated, B confined, C weak, D none; `active` and `missing` are stable codes of mechanisms."""

    letter: str
    active: tuple[str, ...]
    missing: tuple[str, ...]


def protect_supervisor() -> None:
    """For the process that supervises a run: no process of the same user reads our environment or memory.

    It also becomes the parent of whatever a script detaches, should the guard between them be killed.
    """
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def level() -> Level:
    """What is active in this process and the children it starts."""
    active = ["scrubbed_environment", "private_folder", "resource_limits", "no_new_privileges", "guard_process"]
    missing = ["own_user_id", "filesystem", "system_calls", "egress"]
    # Root reads any process, dumpable or not.
    protected = os.geteuid() != 0 and _prctl(PR_GET_DUMPABLE, 0) == 0
    (active if protected else missing).append("supervisor_unreadable")
    return Level("D", tuple(active), tuple(missing))


def _prctl(option: int, argument: int) -> int:
    return int(ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0))
