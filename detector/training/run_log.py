"""`train.log`: what a run says, for people; with the stack where it fails."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = logging.getLogger("detector.training")
_LIGHTNING = logging.getLogger("lightning.pytorch")


class _QuietHandler(logging.FileHandler):
    """A log that cannot be written (a full disk) is no reason for a stack on the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: what ends the run is told elsewhere."""


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append what `LOG` and Lightning say to a file for the length of the block.

    Raises:
        OSError: the file cannot be opened.
    """
    handler = _QuietHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
    level, propagates = LOG.level, LOG.propagate
    LOG.setLevel(logging.INFO)
    LOG.propagate = False  # a stack is for the file, not for the terminal
    for logger in (LOG, _LIGHTNING):
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in (LOG, _LIGHTNING):
            logger.removeHandler(handler)
        LOG.setLevel(level)
        LOG.propagate = propagates
        handler.close()
