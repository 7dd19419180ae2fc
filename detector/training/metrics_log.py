"""What a run has measured: `metrics.jsonl`, one line per step and per epoch, only ever added to.

A line that is not whole yet (the run is writing it, or was killed) is left for the next look.

A run that is resumed goes on from its last checkpoint, which may lie before the last step that it wrote down. It
then writes a line that takes those steps back, and readers drop them: no step counts twice.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

METRICS = "metrics.jsonl"
TAKEN_BACK = "taken_back_after_step"


@dataclass(frozen=True, slots=True)
class StepReport:
    """What the training module says of the optimizer step it has just done; see `StepRow`.

    The module keeps the newest one as its attribute `last_step`, for the callback that writes it down.
    """

    rpn_cls: float
    rpn_bbox: float
    fast_rcnn_cls: float
    fast_rcnn_bbox: float
    total: float
    lr: float
    grad_norm: float


@dataclass(frozen=True, slots=True)
class StepRow:
    """One optimizer step.

    Args:
        step: from 1, over all epochs.
        epoch: from 0.
        rpn_cls, rpn_bbox, fast_rcnn_cls, fast_rcnn_bbox: the four losses, without their weights.
        total: their weighted sum (with masks and keypoints, those losses too).
        lr: of the head, in this step.
        grad_norm: before clipping; nan or infinite in a step that mixed precision leaves out.
        seconds: since the run's first step, over all its processes and pauses left out.
    """

    step: int
    epoch: int
    rpn_cls: float
    rpn_bbox: float
    fast_rcnn_cls: float
    fast_rcnn_bbox: float
    total: float
    lr: float
    grad_norm: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One validation, after an epoch.

    Args:
        epoch: that has ended, from 0; -1 is the model before its first step.
        step: last step before it.
        AP, AP50, AP75, AP_small, AP_medium, AP_large: COCO's; None where there is no such object.
        recall: share of the objects still alive after each rung of the ladder, by the rung's name, in the ladder's
            order.
        objects: how many there are.
        seconds: that the validation took.
    """

    epoch: int
    step: int
    AP: float | None
    AP50: float | None
    AP75: float | None
    AP_small: float | None
    AP_medium: float | None
    AP_large: float | None
    recall: dict[str, float] = field(default_factory=dict)
    objects: int = 0
    seconds: float = 0.0

    def value(self, monitor: str) -> float | None:
        """What `RunConfig.monitor` names, such as `AP` or `recall/RPN_NMS`; None where it is not known.

        Raises:
            ValueError: a name that does not exist.
        """
        if monitor.startswith("recall/"):
            return self.recall.get(monitor.removeprefix("recall/"))
        if monitor not in ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"):
            raise ValueError(
                f"the monitor is {monitor!r}; expected AP, AP50, AP75, AP_small, ... or recall/RUNG"
            )
        return getattr(self, monitor)


Row = StepRow | EpochRow
_STEP, _EPOCH = ({field.name for field in fields(record)} for record in (StepRow, EpochRow))


def best_of(rows: list[EpochRow], monitor: str) -> EpochRow | None:
    """The epoch with the largest `monitor`, the first of several; without what was measured before training.

    Where the monitor is not known (no object of that size, say) any known value is better.
    """
    trained = [row for row in rows if row.epoch >= 0]
    return max(trained, key=lambda row: _known(row.value(monitor)), default=None)


def _known(value: float | None) -> float:
    return float("-inf") if value is None else value


class MetricsReader:
    """Reads `metrics.jsonl` while it grows: each look reads only the new bytes.

    Args:
        folder: of the run; the file need not be there yet.

    Attributes:
        steps: all rows so far by step, in order, each step once: of those done again after a resume the later.
        epochs: all rows so far by epoch, in order, likewise.
        restarts: how often rows were taken back, or the file was replaced: what was drawn before is then to be
            drawn anew, from `steps` and `epochs`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / METRICS
        self._offset, self._inode, self._rest = 0, -1, b""
        self.restarts = 0
        self.steps: list[StepRow] = []
        self.epochs: list[EpochRow] = []

    def new(self) -> list[Row]:
        """The rows that came since the last look, without those that were already taken back."""
        new: list[Row] = []
        for line in self._new_lines():
            content = _content(line)
            if content is None:
                continue
            if TAKEN_BACK in content:
                last = int(content[TAKEN_BACK])
                new = [row for row in new if row.step <= last]
                self._take_back(last)
                continue
            row = _row(content)
            if row is not None:
                new.append(row)
                self._add(row)
        return new

    def _new_lines(self) -> list[bytes]:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return []
        with file:
            end, inode = file.seek(0, 2), os.fstat(file.fileno()).st_ino
            if inode != self._inode or end < self._offset:
                self._forget()
            self._inode = inode
            file.seek(self._offset)
            fresh = file.read(end - self._offset)
        self._offset += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        return lines

    def _forget(self) -> None:
        """The file is another one, or was cut: all is read anew."""
        self.restarts += bool(self.steps or self.epochs)
        self._offset, self._rest = 0, b""
        self.steps, self.epochs = [], []

    def _take_back(self, last: int) -> None:
        before = len(self.steps) + len(self.epochs)
        self.steps = [row for row in self.steps if row.step <= last]
        self.epochs = [row for row in self.epochs if row.step <= last]
        self.restarts += len(self.steps) + len(self.epochs) < before

    def _add(self, row: Row) -> None:
        # An epoch whose validation was cut short is validated again after the resume.
        if isinstance(row, StepRow):
            while self.steps and self.steps[-1].step >= row.step:
                self.steps.pop()
            self.steps.append(row)
        else:
            while self.epochs and self.epochs[-1].epoch >= row.epoch:
                self.epochs.pop()
            self.epochs.append(row)


def _content(line: bytes) -> dict[str, Any] | None:
    """The object in a line; None for one that was torn."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _row(content: dict[str, Any]) -> Row | None:
    """The row; None for one of another version."""
    if content.keys() == _STEP:
        known: Any = {name: math.nan if value is None else value for name, value in content.items()}
        return StepRow(**known)
    return EpochRow(**content) if content.keys() == _EPOCH else None
