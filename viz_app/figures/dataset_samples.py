"""I4: samples of a data set as cards, each a whole image with its boxes coloured by category.

Boxes are float xyxy in the **image** frame.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from viz_app.figures.gallery import Card, boxed_window
from viz_app.figures.palette import DARK_HALO, LIGHT_HALO, category_color, text_on
from viz_app.figures.picture import BoxGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from detector.data.ground_truth import GroundTruth

_FADED = 0.35
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True, eq=False)
class DataSample:
    """One image of a data set.

    Args:
        name: of the image.
        pixels: uint8 [3, H, W].
        truth: its objects.
    """

    name: str
    pixels: Tensor
    truth: GroundTruth


def category_groups(
    truth: GroundTruth, categories: Sequence[str], *, only: str | None = None, width: float = 2.0
) -> list[BoxGroup]:
    """The boxes of each category in its colour, in the order of the categories; crowd regions are dashed.

    Args:
        truth: objects of one image.
        categories: names by label, index 0 is background.
        only: the category that is looked at; the boxes of all others are faint.
        width: of the lines, screen pixels.
    """
    groups = []
    for label in sorted(set(truth.labels.tolist())):
        name, color = name_of(categories, label), category_color(label - 1)
        faint = only not in (None, name)
        halo = LIGHT_HALO if text_on(color) == "#FFFFFF" else DARK_HALO
        group = BoxGroup(
            truth.boxes[:0], name, color, width=width, halo=None if faint else halo,
            opacity=_FADED if faint else 1.0,
        )  # fmt: skip
        for crowd in (False, True):
            boxes = truth.boxes[(truth.labels == label) & (truth.crowd == crowd)]
            if len(boxes):
                groups.append(replace(group, boxes=boxes, dash="dash" if crowd else "solid"))
    return groups


def sample_card(sample: DataSample, categories: Sequence[str], only: str | None = None) -> Card:
    """A card of a whole image; see `category_groups`."""
    height, width = sample.pixels.shape[1:]
    groups = category_groups(sample.truth, categories, only=only)
    picture = boxed_window(sample.pixels, (0, 0, width, height), groups)
    what, size = content_words(sample.truth, categories), f"{width} × {height} px"
    return Card(sample.name, what, size, picture, f"{sample.name}, {what}: open it in Inspect")


def content_words(truth: GroundTruth, categories: Sequence[str]) -> str:
    """What is on an image, such as `2 ring, 1 star`; the most frequent first."""
    counts = Counter(truth.labels.tolist()).most_common()
    if not counts:
        return "no object"
    said = ", ".join(f"{count} {name_of(categories, label)}" for label, count in counts[:_MOST_NAMED])
    rest = sum(count for _, count in counts[_MOST_NAMED:])
    return f"{said} and {rest} more" if rest else said


def legend_groups(samples: Sequence[DataSample], categories: Sequence[str]) -> list[BoxGroup]:
    """One group for each category that is on some sample, with all its boxes, for the legend."""
    boxes: dict[int, list[Tensor]] = {}
    for sample in samples:
        for label in sample.truth.labels.unique().tolist():
            boxes.setdefault(label, []).append(sample.truth.boxes[sample.truth.labels == label])
    return [
        BoxGroup(torch.cat(boxes[label]), name_of(categories, label), category_color(label - 1))
        for label in sorted(boxes)
    ]


def name_of(categories: Sequence[str], label: int) -> str:
    """The name of a label; its number where there is no such name."""
    return categories[label] if 0 < label < len(categories) else f"category {label}"
