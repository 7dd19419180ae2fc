"""Rows of a diagnosis as cards: each object, or error, cut out of its image with the detection beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viz_app.dataset_scenes import image_file
from viz_app.figures.gallery import Card, card_groups, crop_picture, crop_window
from viz_app.links import Selected

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from torch import Tensor

    from detector.data.datasets import AnyDataset
    from detector.judging.dataset_diagnosis import DatasetDiagnosis
    from viz_app.jobs.kept_reports import KeptDetection, KeptReports

_NEAR = 0.1
_FOUND = "FOUND"


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One card and where it leads.

    Args:
        card: what is shown.
        image: its place in the data set.
        selected: what is looked at closely there.
    """

    card: Card
    image: int
    selected: Selected | None


def items_of(
    diagnosis: DatasetDiagnosis,
    rows: pd.DataFrame,
    dataset: AnyDataset,
    reports: KeptReports,
    categories: tuple[str, ...],
) -> list[Item]:
    """A card for each row.

    Args:
        diagnosis: the whole.
        rows: of its objects, or of its false positives.
        dataset: opened.
        reports: the detections of each image.
        categories: names of the detector's categories, index 0 is background; a false positive is selected by them.
    """
    items = []
    seen: dict[int, Tensor] = {}
    records: Iterable[Any] = rows.itertuples()
    for row in records:
        index = int(row.image_index)
        if index not in seen:
            seen[index] = dataset[index][0]
        name = image_name(dataset, index)
        if "rung" in rows:
            items.append(_object(row, seen[index], name, reports.detections(index)))
        else:
            items.append(_error(row, seen[index], name, diagnosis.objects, categories))
    return items


def image_name(dataset: AnyDataset, index: int) -> str:
    """What an image is called on a card: its file, or its number."""
    file = image_file(dataset, index)
    return f"image {index:,}" if file is None else file.name


def best_detection(
    box: tuple[float, ...], number: int, detections: tuple[KeptDetection, ...]
) -> KeptDetection | None:
    """The detection that found an object, else the one that overlaps it most; None where none comes near.

    Args:
        box: of the object, xyxy.
        number: of the object among the annotations of its image.
        detections: of the image.
    """
    own = next((found for found in detections if found.object == number), None)
    if own is not None:
        return own
    overlaps = [(_iou(box, found.box), place) for place, found in enumerate(detections)]
    best = max(overlaps, default=(0.0, -1))
    return detections[best[1]] if best[0] >= _NEAR else None


def _object(row: Any, pixels: Tensor, image: str, detections: tuple[KeptDetection, ...]) -> Item:  # noqa: ANN401
    box = (row.x1, row.y1, row.x2, row.y2)
    number = int(row.object)
    near = best_detection(box, number, detections)
    groups = card_groups(
        box, None if near is None else near.box, right=near is not None and near.object == number
    )
    picture = crop_picture(pixels, crop_window(box, _size(pixels)), groups)
    note = f"found, score {row.detection_score:.2f}" if row.rung == _FOUND else row.reason
    return Item(
        Card(f"#{number} {row.category}", note, image, picture),
        int(row.image_index),
        Selected("object", number),
    )


def _error(
    row: Any,  # noqa: ANN401 - a row of a table
    pixels: Tensor,
    image: str,
    objects: pd.DataFrame,
    categories: tuple[str, ...],
) -> Item:
    box = (row.x1, row.y1, row.x2, row.y2)
    target = objects[(objects["image_index"] == row.image_index) & (objects["object"] == row.object)]
    meant = None if target.empty else tuple(target.iloc[0][["x1", "y1", "x2", "y2"]])
    picture = crop_picture(pixels, crop_window(box, _size(pixels)), card_groups(meant, box, right=False))
    known = row.anchor >= 0 and row.category in categories[1:]
    selected = Selected("detection", int(row.anchor), categories.index(row.category, 1)) if known else None
    return Item(
        Card(f"{row.category} {row.score:.2f}", row.reason, image, picture), int(row.image_index), selected
    )


def _size(pixels: Tensor) -> tuple[int, int]:
    return pixels.shape[1], pixels.shape[2]


def _iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    inner = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
    return inner / union if union > 0 else 0.0
