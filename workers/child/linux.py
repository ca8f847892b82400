"""The few calls to the kernel that Python has no name for."""

import ctypes
import resource
import signal

# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

# Python itself ignores these two; a child that inherited more ignored signals than that would not stop when told to.
IGNORED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
NOT_OURS_TO_SET = frozenset({signal.SIGKILL, signal.SIGSTOP})


def prctl(option: int, argument: int) -> bool:
    return bool(ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0) == 0)


def set_no_new_privileges() -> None:
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def adopt_orphans() -> None:
    """From now on a descendant whose parent ended becomes our child, however it detached itself."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def set_limits(limits: dict[str, int]) -> None:
    """`limits`: names of `resource.RLIMIT_…` without the prefix → value. NOFILE is raised, all others are lowered."""
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(which)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (allowed, hard if name == "NOFILE" else allowed))


def reset_signals() -> None:
    """Dispositions and mask as a fresh Python has them; the holder of a run starts us with SIGINT ignored."""
    for number in signal.valid_signals() - NOT_OURS_TO_SET:
        if signal.getsignal(number) is not None and number < signal.SIGRTMIN:
            signal.signal(number, signal.SIG_IGN if number in IGNORED_BY_PYTHON else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
