"""One run at a time in a folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

try:
    import fcntl
except ImportError:  # not a POSIX system: two runs in one folder are then not noticed
    fcntl = None

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"
# Who only looks whether a folder is locked holds it for an instant.
_TRIES, _PAUSE = 10, 0.05


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder until the block ends.

    Raises:
        ValueError: another process holds it.
    """
    with (folder / LOCK).open("a") as file:
        for _ in range(_TRIES):
            if _take(file):
                break
            time.sleep(_PAUSE)
        else:
            raise ValueError(f"{folder}: another run is writing there; wait for it, or stop it first")
        yield


def is_locked(folder: Path) -> bool:
    """Whether some process holds the folder now; True where that cannot be told."""
    if fcntl is None:
        return True
    try:
        with (folder / LOCK).open("a") as file:
            return not _take(file)
    except FileNotFoundError:
        return False  # there is no such folder
    except OSError:
        return True


def _take(file: IO[str]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
