"""Writing `metrics.jsonl`; see `metrics_log` for what it holds and how it is read."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import IO, TYPE_CHECKING, Any

from detector.training.metrics_log import METRICS, TAKEN_BACK, Row, StepReport

if TYPE_CHECKING:
    from pathlib import Path

_NUMBERS = tuple(field.name for field in fields(StepReport))


class MetricsWriter:
    """Adds rows to `metrics.jsonl`, each whole and handed to the system at once.

    Args:
        folder: of the run; it must exist.
        resumed_after: the last step of the checkpoint that the run goes on from; what was written of later steps
            is taken back. None begins anew: there must be no rows.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path, *, resumed_after: int | None = None) -> None:
        self._file = (folder / METRICS).open("a+b")
        if _is_torn(self._file):
            self._file.write(b"\n")
        if resumed_after is not None:
            self._line({TAKEN_BACK: resumed_after})

    def write(self, row: Row) -> None:
        """Add one row; a number that is not finite is written as null."""
        content = asdict(row)
        for name in _NUMBERS:
            if name in content and not math.isfinite(content[name]):
                content[name] = None
        self._line(content)

    def close(self) -> None:
        """No more rows."""
        self._file.close()

    def _line(self, content: dict[str, Any]) -> None:
        self._file.write(json.dumps(content, allow_nan=False, separators=(",", ":")).encode() + b"\n")
        self._file.flush()


def _is_torn(file: IO[bytes]) -> bool:
    """Whether the last line has no end: its writer was killed."""
    end = file.seek(0, 2)
    if end == 0:
        return False
    file.seek(end - 1)
    return file.read(1) != b"\n"
