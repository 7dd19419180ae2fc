"""Greedy NMS at every IoU threshold, walked from breakpoint to breakpoint.

Greedy NMS is not monotone in its threshold: what a higher one lets live may suppress what lived before. So no
bisection finds the nearest threshold under which a box survives. But the result is the same between two IoUs of
the pairs that it compared, and from one result the next threshold that changes it can be read off: upwards the
lowest IoU at which a suppressed box gets free of every box kept before it, downwards the highest IoU that a kept
box has with one kept before it. Each step here is one change of the result.

Shapes: `S` boxes of one label, in the order in which NMS takes them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import boxes as box_ops

Pairs = NDArray[np.float64]
Flags = NDArray[np.bool_]


class NmsState(NamedTuple):
    """What NMS keeps from `value` on, until the next state of the walk.

    Args:
        value: the threshold nearest to where the walk began that gives this result.
        kept: bool [S].
    """

    value: float
    kept: Flags


Walk = Callable[[Pairs, float], Iterator[NmsState]]


def pairs_in_order(boxes: Tensor) -> Pairs:
    """IoU of each box with those after it, float64 [S, S], zero below the diagonal and on it.

    Args:
        boxes: float32 [S, 4], the coordinates that NMS compares, in its order. The IoUs are the float32 numbers
            that torchvision's NMS gets, exactly, in a type that compares as it does.
    """
    overlaps = np.nan_to_num(box_ops.box_iou(boxes, boxes).cpu().numpy())
    return np.triu(overlaps, 1).astype(np.float64)


def greedy(pairs: Pairs, threshold: float) -> Flags:
    """Who survives, bool [S]: each box not suppressed suppresses those after it over the threshold."""
    kept = np.ones(len(pairs), dtype=bool)
    over = pairs > threshold
    for place in range(len(pairs)):
        if kept[place]:
            kept &= ~over[place]
    return kept


def states_above(pairs: Pairs, present: float) -> Iterator[NmsState]:
    """Every other result of NMS at higher thresholds, nearest first. At an IoU itself its pair lives (`>`)."""
    kept = greedy(pairs, present)
    while not kept.all():
        held = _highest_before(pairs, kept)
        value = float(held[~kept].min())
        kept = greedy(pairs, value)
        yield NmsState(value, kept)


def states_below(pairs: Pairs, present: float) -> Iterator[NmsState]:
    """Every other result of NMS at lower thresholds, nearest first: each just below an IoU."""
    kept = greedy(pairs, present)
    while kept.any():
        highest = float(_highest_before(pairs, kept)[kept].max())
        if highest <= 0:
            return
        value = math.nextafter(highest, 0.0)
        kept = greedy(pairs, value)
        yield NmsState(value, kept)


def _highest_before(pairs: Pairs, kept: Flags) -> NDArray[np.float64]:
    """The highest IoU of each box with a kept one before it."""
    return pairs[kept].max(axis=0)


@dataclass(frozen=True, slots=True)
class Suppression:
    """All that one NMS compares, of which only some labels decide about what is asked.

    Args:
        own: pairs of the labels that hold what is asked about.
        others: gives the pairs of the other labels; called once, and only if they may matter.
        present: the threshold that was applied.
        may: whether a result of `own` (one bool [S] for each) could be what is wanted; a cheap necessary
            condition. Where it holds, each change anywhere is a value worth a try.
    """

    own: Sequence[Pairs]
    others: Callable[[], Sequence[Pairs]]
    present: float
    may: Callable[[Sequence[Flags]], bool]

    def values(self) -> Iterator[float]:
        """Thresholds at which the result changes and `may` holds, by their distance from the present one."""
        known: list[Sequence[Pairs]] = []

        def others() -> Sequence[Pairs]:
            if not known:
                known.append(self.others())
            return known[0]

        directions = (self._promising(walk, others) for walk in (states_above, states_below))
        merged = heapq.merge(*directions, key=lambda step: abs(step[0] - self.present))
        return (value for value, promising in merged if promising)

    def _promising(self, walk: Walk, others: Callable[[], Sequence[Pairs]]) -> Iterator[tuple[float, bool]]:
        """Each step of one direction, and whether it is worth a try."""
        kept = [greedy(pairs, self.present) for pairs in self.own]
        elsewhere: Iterator[float] | None = None
        pending: float | None = None
        start = self.present
        steps = _merged(self.own, walk, self.present)
        while True:
            step = next(steps, None)
            if self.may(kept):
                if elsewhere is None:
                    elsewhere = (value for value, _, _ in _merged(others(), walk, self.present))
                    pending = next(elsewhere, None)
                # What changes at other labels until the own ones change.
                while pending is not None and (step is None or self._nearer(pending, step[0])):
                    if self._nearer(start, pending):
                        yield pending, True
                    pending = next(elsewhere, None)
            if step is None:
                return
            start, group, flags = step
            kept[group] = flags
            yield start, self.may(kept)

    def _nearer(self, first: float, second: float) -> bool:
        return abs(first - self.present) < abs(second - self.present)


def _merged(groups: Sequence[Pairs], walk: Walk, present: float) -> Iterator[tuple[float, int, Flags]]:
    """The states of several labels in one order of distance: value, label's place, who is kept there."""

    def states(place: int) -> Iterator[tuple[float, int, Flags]]:
        return ((value, place, kept) for value, kept in walk(groups[place], present))

    return heapq.merge(*map(states, range(len(groups))), key=lambda step: abs(step[0] - present))
