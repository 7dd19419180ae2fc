"""NMS walked from breakpoint to breakpoint equals torchvision's NMS run at every threshold there is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou, nms

from detector.explaining.nms_breakpoints import (
    Flags,
    Suppression,
    greedy,
    pairs_in_order,
    states_above,
    states_below,
)


def crowded(seed: int, count: int) -> Tensor:
    """Boxes that overlap much, some of them twice, float [S, 4]."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((count, 2), generator=generator) * 12
    boxes = torch.cat((corner, corner + 10 + torch.rand((count, 2), generator=generator) * 8), dim=1)
    if count > 3:
        boxes[count // 2] = boxes[0]
    return boxes.round() if seed % 3 == 0 else boxes  # whole numbers make ties


def torchvisions(boxes: Tensor, threshold: float) -> list[bool]:
    kept = nms(boxes, torch.linspace(1, 0.1, len(boxes)), threshold)
    return [place in kept.tolist() for place in range(len(boxes))]


def every_value(boxes: Tensor) -> list[float]:
    """At each IoU there is, and just below it: between two of them nothing changes."""
    overlaps = set(box_iou(boxes, boxes).triu(1).double().flatten().tolist()) - {0.0}
    return sorted(overlaps | {math.nextafter(value, 0.0) for value in overlaps} | {0.0, 1.0})


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 14), present=st.floats(0, 1))
def test_the_walk_meets_every_result_where_it_begins(seed: int, count: int, present: float) -> None:
    boxes = crowded(seed, count)
    pairs = pairs_in_order(boxes)
    assert greedy(pairs, present).tolist() == torchvisions(boxes, present)
    for walk, values in (
        (states_above, [value for value in every_value(boxes) if value > present]),
        (states_below, [value for value in every_value(boxes)[::-1] if value < present]),
    ):
        last, expected = torchvisions(boxes, present), []
        for value in values:
            result = torchvisions(boxes, value)
            if result != last:
                expected.append((value, result))
            last = result
        assert [(value, kept.tolist()) for value, kept in walk(pairs, present)] == expected


def chain() -> Tensor:
    """A before B before C: IoU(A, B) = 0.5, IoU(B, C) = 2/3, and A and C touch by 0.2."""
    return torch.tensor([[0.0, 0, 30, 10], [10.0, 0, 40, 10], [16.0, 0, 46, 10]])


def test_a_chain_is_not_monotone_and_the_nearest_value_is_on_the_side_that_bisection_would_not_look() -> None:
    boxes = chain()
    first, second = box_iou(boxes, boxes)[[0, 1], [1, 2]].double().tolist()
    assert [torchvisions(boxes, value)[2] for value in (0.45, 0.55, 0.7)] == [True, False, True]
    pairs = pairs_in_order(boxes)
    search = Suppression((pairs,), tuple, 0.55, lambda kept: bool(kept[0][2]))
    values = list(search.values())
    # A lower threshold lets A remove B, which had removed C: nearer than the way up, where C lives beside B.
    assert values[0] == math.nextafter(first, 0.0)
    assert second in values
    assert abs(values[0] - 0.55) < abs(second - 0.55)


@pytest.mark.parametrize("seed", range(12))
def test_values_are_all_that_change_while_the_condition_holds_nearest_first(seed: int) -> None:
    groups = [crowded(seed, 7), crowded(seed + 100, 6), crowded(seed + 200, 5)]
    tables = [pairs_in_order(boxes) for boxes in groups]
    present = 0.3 + 0.05 * (seed % 6)
    watched = (seed + 3) % 7

    def may(kept: Sequence[Flags]) -> bool:
        return bool(kept[0][watched])

    found = list(Suppression(tables[:1], lambda: tables[1:], present, may).values())
    expected = []
    for side in (1, -1):
        last = [torchvisions(boxes, present) for boxes in groups]
        values = sorted({value for boxes in groups for value in every_value(boxes)}, reverse=side < 0)
        for value in (value for value in values if (value - present) * side > 0):
            result = [torchvisions(boxes, value) for boxes in groups]
            if result != last and result[0][watched]:
                expected.append(value)
            last = result
    assert sorted(set(found)) == sorted(expected)
    distances = [abs(value - present) for value in found]
    assert distances == sorted(distances)


def test_what_is_elsewhere_is_not_asked_for_when_it_cannot_matter() -> None:
    def elsewhere() -> Sequence[np.ndarray]:
        raise AssertionError("asked for the other labels")

    never = Suppression((pairs_in_order(chain()),), elsewhere, 0.55, lambda kept: False)
    assert list(never.values()) == []


def test_nothing_to_suppress() -> None:
    none, one = pairs_in_order(torch.zeros((0, 4))), pairs_in_order(torch.tensor([[0.0, 0, 9, 9]]))
    for pairs in (none, one):
        assert list(states_above(pairs, 0.5)) == list(states_below(pairs, 0.5)) == []
