from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers import sandbox

ROOT = Path(__file__).parents[2]
NOBODY = 65534
PR_GET_CHILD_SUBREAPER = 37  # from <linux/prctl.h>
PEEK = "cat /proc/{pid}/environ > /dev/null 2>&1; echo $?"


def in_supervisor(code: str, *, user: int | None = None) -> str:
    """What a protected process prints; by the way it loads `workers.sandbox` before it gives up its rights."""
    give_up = f"os.setgid({user}); os.setuid({user});" if user is not None else ""
    start = f"import os, subprocess\nfrom workers import sandbox\n{give_up}\nsandbox.protect_supervisor()\n"
    return subprocess.check_output([sys.executable, "-c", start + code], cwd=ROOT, text=True).strip()


def test_level_is_honest() -> None:
    level = sandbox.level()
    assert level.letter == "D"
    assert {"filesystem", "egress"} <= set(level.missing)


def test_root_is_not_called_protected() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    assert in_supervisor("print('supervisor_unreadable' in sandbox.level().active)") == "False"


def test_a_child_of_the_same_user_cannot_read_the_supervisor() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    peek = f"print(subprocess.check_output(['sh', '-c', {PEEK!r}.format(pid=os.getpid())], text=True).strip())\n"
    assert in_supervisor(peek + "print('supervisor_unreadable' in sandbox.level().active)", user=NOBODY) == "1\nTrue"


def test_the_supervisor_adopts_orphans() -> None:
    ask = f"ctypes.CDLL(None).prctl({PR_GET_CHILD_SUBREAPER}, ctypes.byref(flag), 0, 0, 0)"
    assert in_supervisor(f"import ctypes\nflag = ctypes.c_int()\n{ask}\nprint(flag.value)") == "1"
