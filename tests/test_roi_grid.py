"""The sample points of RoIAlign are those that torchvision's kernel reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.models import random_image, shared_detector, single_map_detector
from torch import Tensor
from torchvision.ops import roi_align

from detector import capture
from detector.tracing.roi_grid import PoolingRule, SamplingGrid, map_scale, pooling_rule, sampling_grid

ROWS, COLUMNS = 20, 26


def read(values: Tensor, grid: SamplingGrid) -> Tensor:
    """A map [C, rows, columns] at the points of a grid, one point at a time, averaged: float [C, h, w]."""
    rows, columns = values.shape[1:]
    height, width, n, m, _ = grid.cells.shape
    out = torch.zeros((len(values), height, width))
    for i in range(height):
        for j in range(width):
            for x, y in grid.cells[i, j].reshape(-1, 2).tolist():
                if not (-1 <= x <= columns and -1 <= y <= rows):
                    continue
                x, y = min(max(x, 0.0), columns - 1.0), min(max(y, 0.0), rows - 1.0)
                x0, y0 = min(int(x), columns - 2), min(int(y), rows - 2)
                u, v = x - x0, y - y0
                out[:, i, j] += (1 - v) * ((1 - u) * values[:, y0, x0] + u * values[:, y0, x0 + 1]) + v * (
                    (1 - u) * values[:, y0 + 1, x0] + u * values[:, y0 + 1, x0 + 1]
                )
    return out / max(n * m, 1)


def bare_trace(scale: float) -> Any:
    """Just enough of a trace: one map of 20 x 26 cells."""
    size = (round(ROWS / scale), round(COLUMNS / scale))
    return SimpleNamespace(
        rpn=SimpleNamespace(grid=((ROWS, COLUMNS, 1),)), input=SimpleNamespace(network_size=size)
    )


BOXES = (
    [10.0, 20.0, 100.0, 77.5],
    [3.3, 4.4, 9.9, 150.0],
    [50.0, 50.0, 52.0, 51.0],
    [-9.0, -30.0, 300.0, 200.0],
)


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("ratio", [0, 1, 2, 3])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("scale", [0.25, 0.125])
def test_a_map_read_at_the_points_is_what_roi_align_gives(
    box: list[float], ratio: int, aligned: bool, scale: float
) -> None:
    ramp = torch.stack(
        (torch.arange(COLUMNS).expand(ROWS, -1), torch.arange(ROWS)[:, None].expand(-1, COLUMNS))
    )
    noise = torch.rand((3, ROWS, COLUMNS), generator=torch.Generator().manual_seed(5))
    values = torch.cat((ramp.float(), noise))
    rule = PoolingRule((5, 7), ratio, aligned)
    trace = bare_trace(scale)
    assert map_scale(trace, 0) == scale
    grid = sampling_grid(trace, rule, torch.tensor(box), 0)
    expected = roi_align(values[None], [torch.tensor([box])], (5, 7), scale, ratio, aligned)[0]
    torch.testing.assert_close(read(values, grid), expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", ["pyramid_per_class", "fasterrcnn_resnet50_fpn_v2", "single map"])
def test_the_captured_maps_read_at_the_points_are_the_captured_features(name: str) -> None:
    detector = single_map_detector() if name == "single map" else shared_detector(name)
    trace = capture(detector, random_image(2, (80, 112)))
    rule, maps = pooling_rule(detector), list(trace.backbone.pyramid.values())
    assert trace.head.features is not None
    assert rule.bins == tuple(trace.head.features.shape[-2:])
    for level in trace.head.level.unique().tolist():
        for roi in (trace.head.level == level).nonzero().flatten()[:3].tolist():
            grid = sampling_grid(trace, rule, trace.head.boxes[roi], level)
            found = read(maps[level][:4], grid)
            expected = trace.head.features[roi, :4]
            torch.testing.assert_close(found, expected, atol=1e-3 * float(expected.abs().max()), rtol=1e-3)


def test_bins_tile_the_roi_and_hold_their_points() -> None:
    box = torch.tensor([10.0, 20.0, 100.0, 77.5])
    for aligned in (False, True):
        grid = sampling_grid(bare_trace(0.25), PoolingRule((7, 7), 2, aligned), box, 0)
        corners = torch.cat((grid.bins[0, 0, :2], grid.bins[-1, -1, 2:]))
        torch.testing.assert_close(corners, box)
        torch.testing.assert_close(grid.bins[:, 1:, 0], grid.bins[:, :-1, 2])
        torch.testing.assert_close(grid.bins[1:, :, 1], grid.bins[:-1, :, 3])
        points = grid.points.flatten(2, 3)
        assert bool((points > grid.bins[:, :, None, :2]).all()) and bool(
            (points < grid.bins[:, :, None, 2:]).all()
        )
        assert grid.points.shape == (7, 7, 2, 2, 2)


def test_a_roi_thinner_than_a_cell_is_read_as_one_cell_wide_unless_aligned() -> None:
    box = torch.tensor([50.0, 50.0, 52.0, 51.0])
    plain = sampling_grid(bare_trace(0.125), PoolingRule((7, 7), 2), box, 0)
    aligned = sampling_grid(bare_trace(0.125), PoolingRule((7, 7), 2, aligned=True), box, 0)
    wide = plain.bins[-1, -1, 2:] - plain.bins[0, 0, :2]
    assert wide.tolist() == [8, 8]
    true = aligned.bins[-1, -1, 2:] - aligned.bins[0, 0, :2]
    assert true.tolist() == pytest.approx([2, 1])
