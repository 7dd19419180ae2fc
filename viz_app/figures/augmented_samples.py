"""I5: one image of a data set as training would see it: several draws of the augmentation beside the original.

Boxes are float xyxy in the frame of the picture they are drawn on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.data.augmentation import augmented, draws_of
from detector.data.datasets import ground_truth_of
from viz_app.figures.dataset_samples import DataSample, category_groups
from viz_app.figures.raster import draw_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.augmentation import Augmentation
    from detector.data.items import Sample

_SIDES = (480, 640)
_LINE = 3.0
_GAP = 8


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """An image and what the augmentation made of it, several times.

    Args:
        original: as it is in the data set.
        drawn: one for each draw.
    """

    original: DataSample
    drawn: tuple[DataSample, ...]

    @property
    def dropped(self) -> tuple[int, ...]:
        """How many boxes each draw lost: cut away, or shorter than the smallest side that is kept."""
        return tuple(len(self.original.truth) - len(one.truth) for one in self.drawn)


def augmented_draws(
    sample: Sample, name: str, index: int, augmentation: Augmentation, *, seed: int, epochs: int
) -> Draws:
    """Augment an image as a training run would in its first epochs: the same seed and place give the same draws.

    Args:
        sample: of a data set.
        name: of the image.
        index: its place in the data set.
        augmentation: what may happen to it.
        seed: of the run.
        epochs: how many draws.
    """
    drawn = []
    for epoch in range(epochs):
        pixels, target = augmented(sample, augmentation, draws_of(seed, epoch, index))
        drawn.append(DataSample(f"epoch {epoch + 1}", pixels, ground_truth_of(target)))
    pixels, target = sample
    return Draws(DataSample(name, pixels, ground_truth_of(target)), tuple(drawn))


def boxed_picture(sample: DataSample, categories: Sequence[str]) -> np.ndarray:
    """An image with its boxes coloured by category, uint8 RGB [h, w, 3]."""
    groups = category_groups(sample.truth, categories, width=_LINE)
    return draw_picture(sample.pixels, groups, sides=_SIDES)


def dropped_words(draws: Draws) -> str:
    """What became of the boxes in all draws together, as a sentence."""
    whole, lost = len(draws.original.truth) * len(draws.drawn), sum(draws.dropped)
    count = len(draws.drawn)
    over = "Over this draw" if count == 1 else f"Over these {count:,} draws"
    if whole == 0:
        return "This image holds no object, so no box can follow."
    if lost == 0:
        return f"{over} every box was kept."
    return f"{over} {lost:,} of {box_words(whole)} were dropped: cut away, or cut too short."


def box_words(count: int) -> str:
    """A number of boxes, such as `1 box`."""
    return "1 box" if count == 1 else f"{count:,} boxes"


def augmented_sheet(draws: Draws, categories: Sequence[str]) -> np.ndarray:
    """The original and its draws side by side, uint8 RGB [h, w, 3]; a pale line stands between them."""
    pictures = [boxed_picture(one, categories) for one in (draws.original, *draws.drawn)]
    height = max(picture.shape[0] for picture in pictures)
    columns: list[np.ndarray] = []
    for picture in pictures:
        column = np.full((height, picture.shape[1] + _GAP, 3), 255, dtype=np.uint8)
        column[: picture.shape[0], : picture.shape[1]] = picture
        columns.append(column)
    return np.hstack(columns)[:, :-_GAP]
