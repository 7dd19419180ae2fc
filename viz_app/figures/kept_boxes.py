"""Objects and detections of one image as a finished diagnosis keeps them, to be drawn.

Boxes are float xyxy in the **image** frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from viz_app.figures.palette import (
    DARK_HALO,
    DETECTION,
    FALSE_POSITIVE,
    GREY,
    GROUND_TRUTH,
    LIGHT_HALO,
    LOST,
)
from viz_app.figures.picture import BoxGroup
from viz_app.figures.words import rung_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from detector.judging.rows import Found, ImageReport, ObjectRow

    Corners = tuple[float, float, float, float]

LOST_GROUP = "lost objects"
_FOUND = "FOUND"


def kept_groups(report: ImageReport, categories: Sequence[str]) -> list[BoxGroup]:
    """Found objects dashed white, crowds dotted grey, detections blue (false ones orange), lost objects red on top.

    Args:
        report: of the image.
        categories: the detector's K names, index 0 is background.
    """
    false = {row.detection: row.reason for row in report.false_positives}
    found = [row for row in report.objects if row.rung == _FOUND]
    crowd = [one.box for one in report.truth if one.crowd]
    groups = [
        BoxGroup(
            _boxes(crowd), "crowd regions", GREY, dash="dot", halo=LIGHT_HALO, hover=("crowd region",) * len(crowd)
        ),
        BoxGroup(
            _boxes(map(_corners, found)), "found objects", GROUND_TRUTH, dash="dash", width=1.75, halo=DARK_HALO,
            hover=tuple(f"#{row.object} {row.category}: found" for row in found),
        ),
        _detections(report, categories, sorted(set(range(len(report.detections))) - set(false)), {}),
        _detections(report, categories, sorted(false), false),
        _lost(report),
    ]  # fmt: skip
    return [group for group in groups if len(group)]


def place_of_lost(report: ImageReport, index: int) -> tuple[int, int] | None:
    """(group, place in the group) of a lost object within `kept_groups`; None for an object that is not lost."""
    lost = [row.object for row in _lost_rows(report)]
    if index not in lost:
        return None
    # It is the last one of the groups that hold anything; their number needs no names.
    return len(kept_groups(report, _numbered(report))) - 1, lost.index(index)


def _lost_rows(report: ImageReport) -> list[ObjectRow]:
    return [row for row in report.objects if row.rung != _FOUND]


def _lost(report: ImageReport) -> BoxGroup:
    rows = _lost_rows(report)
    return BoxGroup(
        _boxes(map(_corners, rows)), LOST_GROUP, LOST, dash="dash", width=2.5, halo=LIGHT_HALO,
        hover=tuple(
            f"#{row.object} {row.category}: lost at {rung_name(row.rung)}\n{row.reason}" for row in rows
        ),
        labels=tuple(f"lost: #{row.object} {row.category}" for row in rows),
    )  # fmt: skip


def _detections(
    report: ImageReport, categories: Sequence[str], places: Sequence[int], reasons: dict[int, str]
) -> BoxGroup:
    chosen = [report.detections[place] for place in places]
    tags = tuple(f"{categories[one.label]} {one.score:.2f}" for one in chosen)
    name, color = ("false positives", FALSE_POSITIVE) if reasons else ("detections", DETECTION)
    hover = tuple(
        f"{tag}\n{_match_words(report, one) if place not in reasons else reasons[place]}"
        for place, tag, one in zip(places, tags, chosen, strict=True)
    )
    return BoxGroup(_boxes(one.box for one in chosen), name, color, hover=hover, labels=tags)


def _match_words(report: ImageReport, one: Found) -> str:
    if one.object < 0:
        return "matches no object"
    crowd = report.truth[one.object].crowd
    return "in a crowd region: not counted" if crowd else f"finds object #{one.object}"


def _numbered(report: ImageReport) -> list[str]:
    return [str(label) for label in range(1 + max((one.label for one in report.detections), default=0))]


def _corners(row: ObjectRow) -> Corners:
    return row.x1, row.y1, row.x2, row.y2


def _boxes(boxes: Iterable[Corners]) -> Tensor:
    return torch.tensor([list(box) for box in boxes], dtype=torch.float32).reshape(-1, 4)
