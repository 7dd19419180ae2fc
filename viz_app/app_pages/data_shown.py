"""The data set that the Data page shows: opened, with all its objects."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.judging.object_survey import needs_no_pixels
from viz_app import resources
from viz_app.problems import as_sentence, literal
from viz_app.stage_line import count_line

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from detector.data.datasets import AnyDataset
    from detector.judging.doctor_survey import Survey

MOST_DRAWN, MOST_READ = 300, 20_000
"""Images that are looked at: where each must be opened for its objects, and where annotations are enough."""


@dataclass(frozen=True, slots=True, eq=False)
class ShownData:
    """A data set with its objects.

    Args:
        source: as `open_dataset` takes it.
        dataset: opened.
        survey: the objects on its first images; labels are indices into its categories.
    """

    source: str
    dataset: AnyDataset
    survey: Survey

    @property
    def categories(self) -> tuple[str, ...]:
        """Names by label; index 0 is background."""
        return tuple(self.dataset.categories)

    @property
    def per_image(self) -> list[int]:
        """Objects on each image that was looked at."""
        return torch.bincount(self.survey.image_of, minlength=len(self.survey.images)).tolist()

    @property
    def by_category(self) -> dict[str, int]:
        """Objects of each category, in the order of the labels; categories without objects stay."""
        counts = Counter(self.survey.labels.tolist())
        return {name: counts[label] for label, name in enumerate(self.categories) if label}

    @property
    def limits_words(self) -> str:
        """Which images were looked at, where it is not all; a sentence, or nothing."""
        looked = len(self.survey.images)
        return (
            ""
            if self.survey.whole
            else f"The first {looked:,} of {len(self.dataset):,} images were looked at."
        )

    def images_with(self, category: str) -> list[int]:
        """Places of the images that hold a category; of those that were looked at."""
        label = self.categories.index(category) if category in self.categories[1:] else -1
        return self.survey.image_of[self.survey.labels == label].unique().tolist()

    def images_without(self) -> list[int]:
        """Places of the images without any object; of those that were looked at."""
        return [place for place, count in enumerate(self.per_image) if count == 0]


def shown_data(source: str, dataset: AnyDataset, line: DeltaGenerator) -> ShownData | None:
    """Read the objects; None where that fails, which is told.

    Args:
        source: as `open_dataset` takes it.
        dataset: what that gave.
        line: an empty place, where a bar is drawn while it takes time.
    """
    limit = MOST_READ if needs_no_pixels(dataset) else MOST_DRAWN
    try:
        with count_line(line, f"Reading the objects of {literal(source)}") as tell:
            survey = resources.dataset_objects(source, min(limit, len(dataset)), tell)
    except (OSError, ValueError, TypeError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return None
    return ShownData(source, dataset, survey)
