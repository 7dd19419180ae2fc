"""Anchors fitted to objects: the distance against torchvision's IoU, planted clusters, never worse than before."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import build_detector
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import box_iou

from detector import load_detector
from detector.judging.anchor_fitting import anchor_shapes, fit_anchors, fit_anchors_of, shape_iou

SIZES, RATIOS = ((16.0, 24.0), (40.0, 64.0)), (0.5, 1.0, 2.0)

_extents = st.lists(st.tuples(st.floats(2, 400), st.floats(2, 400)), min_size=1, max_size=40)


def _centred(extents: torch.Tensor) -> torch.Tensor:
    half = extents.flip(1) / 2
    return torch.cat((-half, half), dim=1)


@given(first=_extents, second=_extents)
@settings(max_examples=30, deadline=None)
def test_the_distance_is_the_iou_of_centred_boxes(first: list, second: list) -> None:
    one, two = torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64)
    torch.testing.assert_close(shape_iou(one, two), box_iou(_centred(one), _centred(two)))


@pytest.mark.parametrize("sizes", [SIZES, ((11.0, 18.0), (28.0, 44.0), (68.0, 104.0)), ((32.0,), (64.0,))])
def test_shapes_are_those_that_torchvision_makes(sizes: tuple) -> None:
    generator = AnchorGenerator(sizes, (RATIOS,) * len(sizes))
    cells = torch.cat(generator.cell_anchors)
    made = (cells[:, 2:] - cells[:, :2]).flip(1)
    ours = anchor_shapes(sizes, RATIOS)
    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, made.double().tolist()))


@pytest.mark.parametrize("seed", range(4))
def test_planted_shapes_are_found_from_far_away(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    planted = anchor_shapes(SIZES, RATIOS)
    rows = torch.randint(len(planted), (400,), generator=generator)
    noise = torch.empty((400, 2), dtype=torch.float64).normal_(0, 0.03, generator=generator).exp()
    far = tuple(tuple(size * 6 for size in level) for level in SIZES)
    fitted = fit_anchors(planted[rows] * noise, far, (0.9, 1.0, 1.1))
    assert fitted.before.recall < 0.2
    assert fitted.after.recall > 0.98
    assert fitted.gain == pytest.approx(fitted.after.recall - fitted.before.recall)
    flat = [size for level in fitted.after.sizes for size in level]
    assert flat == sorted(flat)
    assert [len(level) for level in fitted.after.sizes] == [2, 2]
    torch.testing.assert_close(torch.tensor(flat), torch.tensor([16.0, 24.0, 40.0, 64.0]), rtol=0.12, atol=0)
    torch.testing.assert_close(torch.tensor(fitted.after.ratios), torch.tensor(RATIOS), rtol=0.15, atol=0)


@given(extents=_extents, iou=st.sampled_from([0.5, 0.7, 0.9]))
@settings(max_examples=30, deadline=None)
def test_never_worse_and_as_a_slow_loop_counts_it(extents: list, iou: float) -> None:
    fitted = fit_anchors(torch.tensor(extents), SIZES, RATIOS, iou=iou)
    assert fitted == fit_anchors(torch.tensor(extents), SIZES, RATIOS, iou=iou)
    assert fitted.objects == len(extents)
    for cover in (fitted.before, fitted.after):
        shapes = anchor_shapes(cover.sizes, cover.ratios).tolist()
        best = []
        for height, width in torch.tensor(extents).double().tolist():
            inner = [min(height, h) * min(width, w) for h, w in shapes]
            best.append(
                max(i / (height * width + h * w - i) for i, (h, w) in zip(inner, shapes, strict=True))
            )
        assert cover.recall == pytest.approx(sum(value >= iou for value in best) / len(best))
        assert cover.mean_iou == pytest.approx(sum(best) / len(best))
    assert (fitted.after.recall, fitted.after.mean_iou) >= (fitted.before.recall, fitted.before.mean_iou)


def test_a_model_brings_its_own_levels_and_bound() -> None:
    extents = torch.rand((50, 2), generator=torch.Generator().manual_seed(0)) * 80 + 8
    bundled = load_detector("shapes").model
    fitted = fit_anchors_of(bundled, extents)
    assert fitted.before.sizes == bundled.rpn.anchor_generator.sizes
    assert fitted.iou == bundled.rpn.proposal_matcher.high_threshold
    assert len(fitted.after.sizes) == 3
    wide = fit_anchors_of(build_detector("fasterrcnn_resnet50_fpn").model, extents)
    assert [len(level) for level in wide.after.sizes] == [1] * 5
    assert wide.after.recall > wide.before.recall


@pytest.mark.parametrize(
    ("extents", "sizes", "message"),
    [
        (torch.zeros((0, 2)), SIZES, "no objects"),
        (torch.tensor([[3.0, 0.0]]), SIZES, "not a number above 0"),
        (torch.tensor([[3.0, float("nan")]]), SIZES, "not a number above 0"),
        (torch.ones((1, 2)), ((8.0,), (16.0, 32.0)), "same number of sizes"),
    ],
)
def test_mistakes_are_named(extents: torch.Tensor, sizes: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_anchors(extents, sizes, RATIOS)
