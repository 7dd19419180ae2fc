"""The smallest change of one threshold that brings a lost object back, or that removes a false positive."""

from __future__ import annotations

from dataclasses import dataclass

from detector.explaining.price import Price
from detector.explaining.rungs import Rung
from detector.tracing.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of one threshold, verified by a replay, and its price.

    Args:
        object: the lost object that it is for; None for a remedy against a false positive.
        field: of `Thresholds`.
        before, after: the value that was applied, and the nearest one that helps.
        rung: verdict of the object after the change: FOUND, or, where no value of this field brings the object
            back, the later rung that it reaches; None for a remedy against a false positive.
        price: what else changes on this image.
        thresholds: all thresholds after the change.
        detection: the false positive that it removes, place among the kept ones before the change.
    """

    object: int | None
    field: str
    before: float
    after: float
    rung: Rung | None
    price: Price
    thresholds: Thresholds
    detection: int | None = None

    @property
    def brings_back(self) -> bool:
        """Whether the object is found after the change: ask this before you call it a remedy."""
        return self.rung is Rung.FOUND

    @property
    def removes(self) -> bool:
        """Whether this is against a false positive."""
        return self.detection is not None

    @property
    def change(self) -> dict[str, float]:
        """For `Thresholds.replace`."""
        return {self.field: self.after}
