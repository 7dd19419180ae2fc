"""Cells: their numbers, anchors and centres agree with a plain walk over the grid."""

from __future__ import annotations

import pytest
import torch
from support.models import random_image, shared_detector, single_map_detector

from detector import capture
from detector.tracing.cells import (
    Cell,
    anchors_of_cell,
    cell_centres,
    cell_number,
    cell_of_anchor,
    cell_with_number,
    nearest_cell,
)
from detector.tracing.trace import RpnStage

MODELS = ("pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn", "single map")


def rpn_of(name: str) -> RpnStage:
    detector = single_map_detector() if name == "single map" else shared_detector(name)
    return capture(detector, random_image(1)).rpn


@pytest.mark.parametrize("name", MODELS)
def test_a_walk_over_all_cells_meets_every_anchor_once_and_in_order(name: str) -> None:
    rpn = rpn_of(name)
    anchors, number = 0, 0
    for level, (height, width, kinds) in enumerate(rpn.grid):
        for y in range(height):
            for x in range(width):
                cell = Cell(level, y, x)
                assert cell_number(rpn, cell) == number
                assert cell_with_number(rpn, number) == cell
                assert anchors_of_cell(rpn, cell).tolist() == list(range(anchors, anchors + kinds))
                assert cell_of_anchor(rpn, anchors + kinds - 1) == cell
                number, anchors = number + 1, anchors + kinds
    assert anchors == len(rpn.anchors)
    with pytest.raises(ValueError, match=f"expected a number from 0 to {number - 1}"):
        cell_with_number(rpn, number)


@pytest.mark.parametrize("name", MODELS)
def test_the_nearest_cell_is_the_one_whose_anchors_are_centred_nearest(name: str) -> None:
    rpn = rpn_of(name)
    generator = torch.Generator().manual_seed(0)
    for point in (torch.rand((12, 2), generator=generator) * 140 - 5).tolist():
        for level, (height, width, _) in enumerate(rpn.grid):
            gaps = {}
            for y in range(height):
                for x in range(width):
                    x1, y1, x2, y2 = rpn.anchors[anchors_of_cell(rpn, Cell(level, y, x))[0]].tolist()
                    gaps[Cell(level, y, x)] = ((x1 + x2) / 2 - point[0]) ** 2 + (
                        (y1 + y2) / 2 - point[1]
                    ) ** 2
            found = nearest_cell(rpn, level, (point[0], point[1]))
            assert gaps[found] == pytest.approx(min(gaps.values()))
            centre = cell_centres(rpn, level)[found.y, found.x]
            assert float((centre - torch.tensor(point)).square().sum()) == pytest.approx(
                gaps[found], rel=1e-4
            )
