"""Memory of what was let go of, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from threading import Timer

# Twice: what a session that ends still holds goes some seconds after its captures.
_WAIT_SECONDS = (3.0, 15.0)


def trim_soon(released: object = None) -> None:
    """Give freed memory back in a few seconds, when what is being released now is really gone.

    The C library keeps the pages of freed tensors for itself: without this a server that has shown ten large
    photos stays as large as it was at its largest. Elsewhere than with glibc nothing happens.

    Args:
        released: what a cache lets go of; not kept.
    """
    del released
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    trim = getattr(library, "malloc_trim", None)
    if trim is None:
        return
    for seconds in _WAIT_SECONDS:
        timer = Timer(seconds, _trim, (trim,))
        timer.daemon = True
        timer.start()


def _trim(trim: Callable[[int], int]) -> None:
    gc.collect()  # a session that ended is a ring of objects that only this finds
    trim(0)
