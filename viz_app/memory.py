"""Memory of what was let go of, given back to the system."""

from __future__ import annotations

import ctypes
import sys
from threading import Timer

_WAIT_SECONDS = 3.0


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
    if trim is not None:
        timer = Timer(_WAIT_SECONDS, trim, (0,))
        timer.daemon = True
        timer.start()
