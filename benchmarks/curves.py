"""How time or memory grows with the amount of work: points, and the exponent of the power law through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np

from benchmarks.measure import SHOWN, keep

LINEAR = 1.1
"""Exponents up to this one count as linear: measured times scatter."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One thing measured at several amounts of work.

    Args:
        what: is measured.
        against: what grows.
        x: how much of it, rising.
        y: median at each point.
        unit: of y, `s` (seconds) or `B` (bytes).
        note: why it grows as it does; asked for where the exponent is above `LINEAR`.
    """

    what: str
    against: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    unit: str = "s"
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise ValueError(
                f"{len(self.x)} points and {len(self.y)} values; expected two or more, one of each"
            )

    @property
    def exponent(self) -> float:
        """Of the power law through all points."""
        return exponent(self.x, self.y)

    @property
    def upper_exponent(self) -> float:
        """Of the one through the upper half of the range, where what does not grow weighs least."""
        first = min(upper_half(self.x), len(self.x) - 2)
        return exponent(self.x[first:], self.y[first:])

    @property
    def unexplained(self) -> bool:
        """Worse than linear, and nobody has said why."""
        return self.upper_exponent > LINEAR and not self.note


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The slope of the straight line through log y over log x, by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def upper_half(x: Sequence[float]) -> int:
    """Where the upper half of the range begins, on a logarithmic scale."""
    middle = sqrt(x[0] * x[-1])
    return next(place for place, value in enumerate(x) if value >= middle)


def report_curves(title: str, curves: Sequence[Curve]) -> None:
    """Print one table and write it as JSON, with machine and versions.

    Args:
        title: a name, a colon and what grows; the file is named after the name.
        curves: the rows.
    """
    print(f"\n{title}")
    for curve in curves:
        print(f"  {curve.what} against {curve.against}: {_points(curve)}")
        mark = "  UNEXPLAINED" if curve.unexplained else f"  {curve.note}"
        print(f"      exponent {curve.exponent:.2f}, upper half {curve.upper_exponent:.2f}{mark}")
    rows = [{**asdict(one), "exponent": one.exponent, "upper_exponent": one.upper_exponent} for one in curves]
    keep(title, {"curves": rows})


def _points(curve: Curve) -> str:
    factor, unit = SHOWN[curve.unit]
    pairs = zip(curve.x, curve.y, strict=True)
    return ", ".join(f"{x:g}: {y * factor:.4g}" for x, y in pairs) + f" {unit}"
