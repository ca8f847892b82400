"""Removing what a script leaves behind. It may have made folders as deep, and as locked, as it liked."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> bool:
    """Remove the folder with all that is in it, and never what a link points to; whether it is gone.

    `shutil.rmtree` calls itself for each level, so a script with a thousand of them would end the process that tidies
    up after it. Here each folder is moved up to the first level before anybody looks into it.
    """
    with suppress(OSError):
        root = os.open(path, os.O_RDONLY | _FOLDER)
        try:
            _empty(root)
        finally:
            os.close(root)
        path.rmdir()
    return not os.path.lexists(path)


def _empty(root: int) -> None:
    """Whatever cannot be removed stays, and keeps nothing else from being removed."""
    prefix, moved, waiting = secrets.token_hex(8), 0, ["."]
    while waiting:
        name = waiting.pop()
        with suppress(OSError):
            folder = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=root)
            try:
                for entry in list(os.scandir(folder)):
                    with suppress(OSError):
                        if not entry.is_dir(follow_symlinks=False):
                            os.unlink(entry.name, dir_fd=folder)
                            continue
                        _unlock(entry.name, folder)
                        moved += 1
                        os.rename(entry.name, f"{prefix}.{moved}", src_dir_fd=folder, dst_dir_fd=root)
                        waiting.append(f"{prefix}.{moved}")
            finally:
                os.close(folder)
            if name != ".":
                os.rmdir(name, dir_fd=root)


def _unlock(name: str, parent: int) -> None:
    """Give ourselves the right to look into a folder and to change it."""
    handle = os.open(name, os.O_PATH | _FOLDER, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)
    finally:
        os.close(handle)
