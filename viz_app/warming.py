"""What takes seconds to import, imported while the browser is still on its way.

The server begins with it once it knows whom it will answer. A run of the script waits until it is done: two threads
that import packages whose modules import one another could each see half of one.
"""

from __future__ import annotations

import gc
from contextlib import suppress
from importlib import import_module
from threading import Lock, Thread

# Nothing here draws: a component registers with the server's runtime, which may not be there yet.
HEAVY = (
    "detector",
    "pandas",
    "pandas.io.formats.style",
    "plotly.graph_objects",
    "viz_app.figures.full_network",
)
_LOCK = Lock()
_warming: Thread | None = None


def begin() -> None:
    """Import `HEAVY` in a thread of its own, once in the life of a process."""
    global _warming
    with _LOCK:
        if _warming is None:
            _warming = Thread(target=_import_all, name="warming", daemon=True)
            _warming.start()


def wait() -> None:
    """Until what `begin` began is done; at once where nothing was begun."""
    if _warming is not None:
        _warming.join()


def _import_all() -> None:
    # Imports make a million objects that stay. Looking through them for garbage takes a fifth of the time here, and
    # 0.2 s each time later on, in the middle of somebody's click: so they are never looked at.
    gc.disable()
    try:
        for name in HEAVY:
            # Whatever is wrong with a module is said where it is needed.
            with suppress(Exception):
                import_module(name)
        gc.freeze()
    finally:
        gc.enable()
