"""How much memory a call takes at its highest, and how much its result keeps."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psutil

_EVERY = 0.005


@dataclass(frozen=True, slots=True)
class Memory:
    """What a call took of this process, beyond what was there before it.

    Args:
        peak: bytes at the highest moment.
        kept: bytes after the call, while its result lives.
    """

    peak: int
    kept: int


def memory_of(call: Callable[[], object]) -> Memory:
    """Call once; the memory of the process is read every 5 ms in a thread beside it."""
    settle()
    before, highest, over = resident(), [0], threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY):
            highest.append(max(highest.pop(), resident()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        result = call()
    finally:
        over.set()
        watcher.join()
    peak = max(highest[0], resident())
    settle()
    kept = resident()
    del result
    return Memory(max(0, peak - before), max(0, kept - before))


def resident() -> int:
    """Bytes of this process that lie in memory."""
    return psutil.Process().memory_info().rss


def settle() -> None:
    """Give back what nobody uses, so that it does not hide what the next call takes (glibc keeps freed memory)."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return
