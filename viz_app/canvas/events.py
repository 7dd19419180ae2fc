"""What a canvas reports, and the reading of it: nothing that comes from a browser is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from viz_app.figures.picture import BoxGroup

_LARGEST = 1e9


@dataclass(frozen=True, slots=True)
class Pick:
    """A click on the picture.

    Args:
        x, y: where, px, **image** frame.
        boxes: (group, place in the group) of every box under the point, the smallest first.
        current: which of them is meant, after repeated clicks another one; None where there is none.
    """

    x: float
    y: float
    boxes: tuple[tuple[int, int], ...] = ()
    current: int | None = None

    @property
    def box(self) -> tuple[int, int] | None:
        """(group, place in the group) of the box that is meant."""
        return None if self.current is None else self.boxes[self.current]


@dataclass(frozen=True, slots=True)
class CanvasEvent:
    """What was done on the canvas since the last run; all None where nothing was.

    Args:
        pick: a click; without boxes where it, or the escape key, cleared the selection.
        drawn: xyxy of a box that was drawn, px, **image** frame.
        thresholds: score and NMS IoU of the box filter, at the release of a slider.
    """

    pick: Pick | None = None
    drawn: tuple[float, float, float, float] | None = None
    thresholds: tuple[float, float] | None = None


def read_event(state: Any, groups: Sequence[BoxGroup]) -> CanvasEvent:  # noqa: ANN401 - what the browser sent
    """The event in a component's state; parts that do not make sense are left out."""
    part = state.get if hasattr(state, "get") else lambda name: None
    return CanvasEvent(_pick(part("pick"), groups), _drawn(part("drawn")), _thresholds(part("thresholds")))


def boxes_at(groups: Sequence[BoxGroup], x: float, y: float) -> tuple[tuple[int, int], ...]:
    """(group, place) of every box that can be picked and holds a point of the image, the smallest first."""
    found = []
    for number, group in enumerate(groups):
        if not (group.hover or group.items):
            continue
        x1, y1, x2, y2 = group.boxes.unbind(1)
        for place in torch.where((x1 <= x) & (x <= x2) & (y1 <= y) & (y <= y2))[0].tolist():
            area = float((x2[place] - x1[place]) * (y2[place] - y1[place]))
            found.append((area, -number, -place))
    return tuple((-number, -place) for _, number, place in sorted(found))


def _pick(sent: object, groups: Sequence[BoxGroup]) -> Pick | None:
    if not isinstance(sent, dict):
        return None
    point = _numbers([sent.get("x"), sent.get("y")], 2)
    pairs, current = sent.get("boxes"), sent.get("current")
    if point is None or not isinstance(pairs, list):
        return None
    boxes = tuple((pair[0], pair[1]) for pair in pairs if _names_a_box(pair, groups))
    if len(boxes) != len(pairs):
        return None
    if not boxes:
        return Pick(point[0], point[1])
    known = isinstance(current, int) and 0 <= current < len(boxes)
    return Pick(point[0], point[1], boxes, current if known else 0)


def _names_a_box(pair: object, groups: Sequence[BoxGroup]) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(number) is int for number in pair)
        and 0 <= pair[0] < len(groups)
        and 0 <= pair[1] < len(groups[pair[0]])
    )


def _drawn(sent: object) -> tuple[float, float, float, float] | None:
    box = _numbers(sent, 4)
    return box if box and box[0] < box[2] and box[1] < box[3] else None


def _thresholds(sent: object) -> tuple[float, float] | None:
    pair = _numbers([sent.get("score"), sent.get("nms")], 2) if isinstance(sent, dict) else None
    return pair if pair and all(0 <= value <= 1 for value in pair) else None


def _numbers(sent: object, count: int) -> Any:  # noqa: ANN401 - a tuple of `count` floats, or None
    if not isinstance(sent, list) or len(sent) != count:
        return None
    # A whole number beyond this does not fit a float: asking whether it is finite would raise.
    if not all(isinstance(value, int | float) and abs(value) < _LARGEST for value in sent):
        return None
    return tuple(float(value) for value in sent)
