"""Whether a process is still the one it was: a number alone is given to another once its process is gone."""

from __future__ import annotations

import os

import psutil

_SAME_START = 2.0


def is_at_work(pid: int, started: float) -> bool:
    """Whether a process of this machine runs.

    Args:
        pid: its number.
        started: when it was started, seconds since 1970, as `process_started` gives it. Linux counts from when
            the machine began, so that this moves whenever the clock is set: a process says it anew in each sign of
            life.
    """
    if pid <= 0:
        return False
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > _SAME_START:
            return False
        # One that has ended stays in the table, as a zombie, until its parent asks for it.
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.AccessDenied:
        return True  # another user's, and there
    except psutil.Error:
        return False


def process_started(pid: int | None = None) -> float:
    """When a process was started, seconds since 1970; this one by default."""
    return psutil.Process(os.getpid() if pid is None else pid).create_time()
