"""What a process that was killed left half-written: temporary files and folders, told by their names.

All are written under `.<32 hex digits>.tmp`, and renamed when they are whole; no reader looks at them. Whatever has
another name is somebody else's and stays: people name folders of their own as the place of a diagnosis or a run.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
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
_PATIENCE, _PAUSE = 10.0, 0.05
"""Seconds that another process is waited for: who makes a folder or sweeps holds the one above for an instant, but
people may have locked it for hours, with `flock` around a whole command say."""


def temporary_beside(path: Path) -> Path:
    """A new name in the same folder, under which `path` is written until it is whole."""
    return path.with_name(f".{uuid.uuid4().hex}.tmp")


def sweep(*folders: Path) -> None:
    """Take away what is half-written in folders that the caller holds alone; what cannot be removed stays."""
    for folder in folders:
        for left in _ours_in(folder):
            _remove(left)


def sweep_old(folder: Path) -> None:
    """Take away half-written files of a folder in which several may be writing: none of them writes for an hour."""
    for left in _ours_in(folder):
        with suppress(OSError):
            if left.is_file() and time.time() - left.stat().st_mtime > _OLD:
                left.unlink()


def sweep_unheld(folder: Path) -> None:
    """Take away the temporary folders of processes that are gone; see `held`. Several may work in the folder."""
    with _locked(folder, wait=True) as alone:
        if not alone:
            return
        for left in _ours_in(folder):
            if left.is_dir() and not left.is_symlink():
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


def _ours_in(folder: Path) -> list[Path]:
    return [left for left in folder.glob(".*.tmp") if _OURS.fullmatch(left.name)]


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder itself, without a file in it; whether that could be done (not on every network drive).

    Args:
        folder: what to hold.
        wait: for whoever holds it now, but not for ever.
    """
    if fcntl is None:
        yield False
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _flock(descriptor, _PATIENCE if wait else 0.0)
    finally:
        os.close(descriptor)


def _flock(descriptor: int, patience: float) -> bool:
    assert fcntl is not None
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
        except OSError:
            return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
