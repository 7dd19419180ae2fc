"""Objects and detections of one image as a run saw them; two of these stand side by side to compare runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch

from detector.explaining.rungs import Rung
from viz_app.figures.palette import DETECTION, FALSE_POSITIVE, LIGHT_HALO, LOST, PURPLE
from viz_app.figures.picture import BoxGroup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from torch import Tensor

    from detector.judging.comparison_records import ComparedObject
    from viz_app.jobs.kept_reports import KeptDetection

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class SeenObject:
    """One object in one run.

    Args:
        number: on its image.
        category: its name.
        box: xyxy, px, **image** frame.
        rung: where it was lost, or FOUND.
        reason: in one sentence.
    """

    number: int
    category: str
    box: Corners
    rung: str
    reason: str

    @property
    def is_found(self) -> bool:
        """Whether a detection matches it."""
        return self.rung == Rung.FOUND.name


def seen_on(objects: pd.DataFrame, index: int) -> tuple[SeenObject, ...]:
    """The objects of image `index`, from the table of all of them."""
    rows = cast("pd.DataFrame", objects[objects["image_index"] == index])
    records: Iterable[Any] = rows.itertuples()
    return tuple(
        SeenObject(
            int(row.object), row.category, (row.x1, row.y1, row.x2, row.y2), row.rung, row.reason or ""
        )
        for row in records
    )


def seen_of_compared(objects: Iterable[ComparedObject], *, second: bool) -> tuple[SeenObject, ...]:
    """From compared objects of one image: as the first run saw them, or the second."""
    return tuple(
        SeenObject(
            one.object, one.category, one.box, one.rung_b if second else one.rung_a,
            one.reason_b if second else one.reason_a,
        )
        for one in objects
    )  # fmt: skip


def outcome_groups(
    seen: Sequence[SeenObject],
    detections: Sequence[KeptDetection],
    categories: Sequence[str],
    pointed: int | None = None,
) -> list[BoxGroup]:
    """True detections blue, false ones orange, lost objects dashed red; the one that is looked at on top.

    Args:
        seen: the objects of the image.
        detections: of the image.
        categories: the detector's K names, index 0 is background; others are told by number.
        pointed: number of the object that is looked at.
    """
    true = [found for found in detections if found.object >= 0]
    false = [found for found in detections if found.object < 0]
    lost = [one for one in seen if not one.is_found]
    groups = [
        _found("false positives", false, FALSE_POSITIVE, categories),
        _found("found", true, DETECTION, categories),
        BoxGroup(
            _boxes([one.box for one in lost]), "lost objects", LOST, dash="dash", width=2.5, halo=LIGHT_HALO,
            hover=tuple(f"#{one.number} {one.category}: {one.reason}" for one in lost),
        ),
    ]  # fmt: skip
    chosen = [one for one in seen if one.number == pointed]
    if chosen:
        name = f"#{chosen[0].number} {chosen[0].category}"
        own = BoxGroup(
            _boxes([chosen[0].box]), name, PURPLE, dash="dot", width=3, halo=LIGHT_HALO, counted=False
        )
        groups.append(own)
    return groups


def _found(name: str, detections: Sequence[KeptDetection], color: str, categories: Sequence[str]) -> BoxGroup:
    hover = tuple(
        f"{categories[one.label] if one.label < len(categories) else one.label} {one.score:.2f}"
        for one in detections
    )
    return BoxGroup(_boxes([one.box for one in detections]), name, color, hover=hover)


def _boxes(boxes: Sequence[Corners]) -> Tensor:
    return torch.tensor([list(box) for box in boxes], dtype=torch.float32).reshape(-1, 4)
