"""Processes of their own that outlive the app: started as a session, found again by their folder, let go of.

A page that is loaded again, another browser and a server that was started again must all see the same process.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

_children: dict[Path, subprocess.Popen[bytes]] = {}


def start_session(arguments: Sequence[str], folder: Path, log: Path) -> int:
    """Start a process as a session of its own; its number.

    Args:
        arguments: the command.
        folder: that it works in; one of the arguments, so that it is found again.
        log: what it prints is added to this file.

    Raises:
        OSError: no process can be started, or the log cannot be written.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(),
            # Ctrl+C on the server is not meant for it: it ends when it is done, or when it is asked to.
            start_new_session=True,
        )
    _children[folder] = child
    return child.pid


def child_of(folder: Path) -> int | None:
    """The process that this one started for a folder, while it is at work.

    One that has ended stays in the table of processes until it is asked for: here it is, and let go of.
    """
    child = _children.get(folder)
    if child is None:
        return None
    if child.poll() is None:
        return child.pid
    del _children[folder]
    return None


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process is at work in a folder; a number is given again once its process is gone."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(folder) in process.cmdline()
    except (psutil.Error, OSError, ValueError):
        return False


def holds(pid: int, file: Path) -> bool:
    """Whether a process of this machine has a file open, such as the lock of a folder."""
    try:
        return any(Path(one.path) == file.resolve() for one in psutil.Process(pid).open_files())
    except (psutil.Error, OSError, ValueError):
        return False


def environment() -> dict[str, str]:
    """The server's own, with the folder of this package in it: a checkout need not be installed."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
