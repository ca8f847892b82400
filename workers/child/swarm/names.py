"""What a worker calls itself towards the master: its index, and how often its process was started anew."""

import re

_NAME = re.compile(r"worker-(\d{1,5})\.(\d{1,5})", re.ASCII)


def name_of(index: int, start: int) -> str:
    return f"worker-{index}.{start}"


def index_of(name: str) -> int | None:
    """None for a name that is none of ours."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def start_of(name: str) -> int:
    """Of a name of ours."""
    return int(name.rpartition(".")[2])
