"""What a process that was killed left half-written: temporary files and folders, told by their names.

All are written under `.<32 hex digits>.tmp`, or a name with a dot before and `.tmp` behind it, and renamed when
they are whole; no reader looks at them.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # not a POSIX system: what lies in a shared folder stays there
    fcntl = None

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLD = 3600.0
_OURS = re.compile(r"\.[0-9a-f]{32}\.tmp")


def sweep(*folders: Path) -> None:
    """Take away what is half-written in folders that the caller holds alone; what cannot be removed stays."""
    for folder in folders:
        for left in folder.glob(".*.tmp"):
            _remove(left)


def sweep_old(folder: Path) -> None:
    """Take away half-written files of a folder in which several may be writing: none of them writes for an hour."""
    for left in folder.glob(".*.tmp"):
        with suppress(OSError):
            if left.is_file() and time.time() - left.stat().st_mtime > _OLD:
                left.unlink()


def sweep_unheld(folder: Path) -> None:
    """Take away the temporary folders of processes that are gone; see `held`. Several may work in the folder."""
    with _locked(folder, wait=True) as alone:
        if not alone:
            return
        for left in folder.iterdir():
            if _OURS.fullmatch(left.name) and left.is_dir() and not left.is_symlink():
                with _locked(left, wait=False) as is_free:
                    if is_free:
                        _remove(left)


@contextmanager
def held(temporary: Path) -> Iterator[None]:
    """Make a temporary folder and hold it until the block ends, or until this process does.

    Raises:
        OSError: it cannot be made.
    """
    with ExitStack() as stack:
        with _locked(temporary.parent, wait=True):  # nobody may sweep between the two
            temporary.mkdir()
            stack.enter_context(_locked(temporary, wait=False))
        yield


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder itself, without a file in it; whether that could be done (not on every network drive)."""
    if fcntl is None:
        yield False
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _flock(descriptor, wait)
    finally:
        os.close(descriptor)


def _flock(descriptor: int, wait: bool) -> bool:
    assert fcntl is not None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
