"""A name for what the portal serves to browsers as it is; it changes with every byte of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

DIGITS = 12


def of_files(folder: Path, *locks: Path) -> str:
    """Hex digits of all files under `folder`, by name and content, and of `locks`, which pin those of others.

    Of contents, not of times: replicas that were checked out apart name the same files alike.
    """
    digest = hashlib.sha256()
    for path in [*sorted(path for path in folder.rglob("*") if path.is_file()), *locks]:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder.parent).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:DIGITS]
