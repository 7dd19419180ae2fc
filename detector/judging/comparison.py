"""Two runs on the same data set, object by object, and what of the difference in AP is more than chance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.judging.comparison_records import Comparison


def compare(
    folder_a: str | Path,
    folder_b: str | Path,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two finished diagnoses of the same data set: two models, two thresholds, or two epochs.

    Args:
        folder_a, folder_b: of `evaluate`, `diagnose_dataset`, or `boxscope diagnose`.
        resamples: draws of the bootstrap.
        seed: of the draws; the same seed gives the same interval.
        confidence: the share of the draws that the interval holds.

    Raises:
        ValueError: a folder without a finished diagnosis, another data set, other images, or another IoU in
            one of the two; the sentence says which.
    """
    raise NotImplementedError
