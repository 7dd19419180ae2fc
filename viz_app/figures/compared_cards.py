"""Objects of a comparison as cards: each cut out of its image, with the detection of the run that found it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.explaining.rungs import Rung
from viz_app.figures.gallery import Card, card_groups, crop_picture, crop_window
from viz_app.figures.gallery_cards import Item, best_detection
from viz_app.links import Selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from detector.data.datasets import AnyDataset
    from detector.judging.comparison_records import ComparedObject
    from viz_app.jobs.kept_reports import KeptReports


def compared_items(
    objects: Sequence[ComparedObject], dataset: AnyDataset, a: KeptReports, b: KeptReports
) -> list[Item]:
    """A card for each object: with B's detection where B found it, else with A's.

    Args:
        objects: of one comparison.
        dataset: opened.
        a, b: the detections of both runs.
    """
    pixels: dict[int, Tensor] = {}
    items = []
    for one in objects:
        if one.image_index not in pixels:
            pixels[one.image_index] = dataset[one.image_index][0]
        reports = b if one.rung_b == Rung.FOUND.name or one.rung_a != Rung.FOUND.name else a
        near = best_detection(one.box, one.object, reports.detections(one.image_index))
        groups = card_groups(
            one.box, None if near is None else near.box, right=near is not None and near.object == one.object
        )
        image = pixels[one.image_index]
        picture = crop_picture(image, crop_window(one.box, (image.shape[1], image.shape[2])), groups)
        title, note = f"#{one.object} {one.category}", change_words(one)
        card = Card(title, note, one.image, picture, f"{title}, {note}, on {one.image}: compare it")
        items.append(Item(card, one.image_index, Selected("object", one.object)))
    return items


def change_words(one: ComparedObject) -> str:
    """What each run made of an object, such as `A 0.62 → B suppressed by …`."""
    return f"A: {_side(one.score_a, one.reason_a)} → B: {_side(one.score_b, one.reason_b)}"


def _side(score: float | None, reason: str) -> str:
    return reason if score is None else f"found {score:.2f}"
