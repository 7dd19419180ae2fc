"""The three streams of a command, whatever the shell has made of them: closed, full, or read by nobody."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def ready_streams() -> None:
    """Make all three usable: a closed one leads nowhere, and what an encoding lacks is written out (`\\u2192`)."""
    for name, mode in _MODES.items():
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell, as `>&-` does; the file opened next would take its number
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - until the end
        elif mode == "w" and isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def settle_streams() -> None:
    """Write what is left; what nobody takes is dropped, so that Python does not complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _drop(stream)


def _drop(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
