"""What the charts of a training run share: its rows, its colour, and how thousands of steps become a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from viz_app.figures.palette import ACCENT, category_color

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from detector.training.metrics_log import EpochRow, StepRow

MOST_POINTS = 1000
"""Points of one line: more are not told apart on a screen."""

_WINDOW_SHARE, _WINDOW = 20, (5, 100)


@dataclass(frozen=True, slots=True, eq=False)
class RunCurve:
    """One run as the charts see it.

    Args:
        name: of the run.
        steps: its step rows, in order.
        epochs: its epoch rows, in order.
        clip_norm: bound of the gradient norm; None where it is not known.
        color: `#RRGGBB`.
    """

    name: str
    steps: Sequence[StepRow]
    epochs: Sequence[EpochRow]
    clip_norm: float | None = None
    color: str = ACCENT


def run_color(place: int) -> str:
    """Colour of the run at a place among those that are overlaid, `#RRGGBB`."""
    return category_color(place)


def column(rows: Sequence[StepRow], name: str) -> np.ndarray:
    """One field of all rows, float64 [n]."""
    return np.fromiter((getattr(row, name) for row in rows), float, len(rows))


def smoothed(values: np.ndarray) -> np.ndarray:
    """The mean of each value and those before it, float [n]: a twentieth of all, at least 5, at most 100.

    A value that is not finite stays alone: the mean of the others goes on beside it.
    """
    window = min(max(len(values) // _WINDOW_SHARE, _WINDOW[0]), _WINDOW[1])
    known = np.isfinite(values)
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    within = counts[ends] - counts[starts]
    return np.where(within > 0, (sums[ends] - sums[starts]) / np.maximum(within, 1), np.nan)


def thinned(values: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Places of the values that are drawn, int [m], in order: of each of many bins the lowest and the highest.

    So no peak is lost; with `most` values or fewer all are drawn.
    """
    if len(values) <= most:
        return np.arange(len(values))
    bins = np.array_split(np.arange(len(values)), most // 2)
    known = np.where(np.isfinite(values), values, -np.inf)
    places = {int(part[pick(known[part])]) for part in bins for pick in (np.argmin, np.argmax)}
    return np.array(sorted(places | {0, len(values) - 1}))


def finished(figure: go.Figure) -> go.Figure:
    """A chart that is drawn many times and changed no more: plotly would copy all of it each time."""
    kept = figure.to_dict()
    figure.to_dict = lambda: kept  # pyright: ignore[reportAttributeAccessIssue]
    return figure


def epoch_ends(rows: Sequence[StepRow]) -> list[int]:
    """The last step of each epoch that another one follows."""
    return [one.step for one, following in pairwise(rows) if one.epoch != following.epoch]
