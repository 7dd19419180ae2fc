"""The doctor's look at anchors and models: against captures and the model's own training step, changing nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.items import RandomItems
from support.models import (
    build_detector,
    random_image,
    random_truth,
    shared_detector,
    single_map_detector,
)
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from detector import Thresholds, capture, load_detector
from detector.data import ShapesDataset
from detector.judging.anchor_grid import AnchorGrids, map_sizes
from detector.judging.doctor import examine
from detector.judging.findings import Severity
from detector.tracing.sampling import training_view

FAMILIES = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "pyramid_best_class",
    "single map",
)


# Two with five levels or a pooled map, two with three or one; keypoints and masks come after the anchors.
@pytest.mark.parametrize("name", FAMILIES)
def test_anchors_and_boxes_are_those_of_a_forward(name: str) -> None:
    detector = single_map_detector() if name == "single map" else shared_detector(name)
    grids = AnchorGrids(detector.model)
    for size in ((96, 128), (160, 96)):
        truth = random_truth(1, size)
        trace = capture(detector, random_image(1, size))
        placed = grids.place(size, truth.boxes)
        assert torch.equal(placed.grid.anchors, trace.rpn.anchors)
        assert torch.equal(placed.boxes, trace.to_network(truth.boxes))
        assert placed.size == trace.input.network_size
        assert placed.grid.maps == tuple(trace.backbone.pyramid)


def test_boxes_follow_a_transform_that_does_more_than_resize() -> None:
    class Shifting(GeneralizedRCNNTransform):
        def resize(self, image: Any, target: Any = None) -> Any:
            image, target = super().resize(image, target)
            return image, None if target is None else {**target, "boxes": target["boxes"] + 5}

    detector = build_detector("pyramid_best_class")
    grids, truth = AnchorGrids(detector.model), random_truth(1, (96, 128))
    plain = grids.place((96, 128), truth.boxes)
    assert torch.equal(grids.place((96, 128), truth.boxes[:2]).boxes, plain.boxes[:2])
    detector.model.transform.__class__ = Shifting
    shifted = AnchorGrids(detector.model).place((96, 128), truth.boxes)
    assert torch.equal(shifted.boxes, plain.boxes + 5)


def test_a_backbone_that_reads_its_values_is_run() -> None:
    class Peeking(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner, self.out_channels = inner, 16

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) + float(x.mean())

    detector = single_map_detector()
    before = map_sizes(detector.model, (96, 128))
    detector.model.backbone = Peeking(detector.model.backbone)
    assert map_sizes(detector.model, (96, 128)) == before


@pytest.mark.parametrize("name", ["pyramid_best_class", "fasterrcnn_mobilenet_v3_large_fpn"])
def test_positive_anchors_are_those_of_a_training_step(name: str) -> None:
    detector = shared_detector(name)
    data = RandomItems([(96, 128), (128, 96), (160, 160)])
    fits = examine(data, detector).fits
    assert fits is not None
    assert len(fits) == 12
    for index in range(len(data)):
        trace = capture(detector, data[index][0], target=random_truth(index, data.sizes[index], data.count))
        samples = training_view(detector, trace).anchors
        of_image = slice(4 * index, 4 * index + 4)
        counts = torch.bincount(samples.matched[samples.matched >= 0], minlength=4)
        assert fits.positives[of_image].tolist() == counts.tolist()
        by_themselves = samples.matched[(samples.matched >= 0) & ~samples.rescued]
        rescued = (counts > 0) & (torch.bincount(by_themselves, minlength=4) == 0)
        assert fits.rescued[of_image].tolist() == rescued.tolist()


@pytest.mark.parametrize("training", [False, True])
def test_looking_changes_nothing(training: bool) -> None:
    detector = build_detector("fasterrcnn_mobilenet_v3_large_fpn")
    model = detector.model.train(training)
    model.backbone.eval()
    cells = model.rpn.anchor_generator.cell_anchors
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    state, knobs = torch.random.get_rng_state(), Thresholds.from_model(model)
    examine(RandomItems([(96, 128)]), detector)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(not value.is_meta for value in model.state_dict().values())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.random.get_rng_state(), state)
    assert Thresholds.from_model(model) == knobs
    assert model.rpn.anchor_generator.cell_anchors is cells


@pytest.mark.parametrize("seed", [7, 2026])
def test_the_bundled_detector_and_its_own_world_are_sound(seed: int) -> None:
    report = examine(ShapesDataset(12, seed=seed), load_detector("shapes"))
    assert report.errors == ()
    assert {finding.check for finding in report.of(Severity.WARNING)} <= {
        "no_positive_anchor",
        "class_never_seen",
    }
    assert report.images == 12
    assert report.categories == ShapesDataset.categories


@pytest.mark.parametrize("factor", [6.0, 0.2])
def test_anchors_that_do_not_fit_are_named_with_better_ones(factor: float) -> None:
    detector = load_detector("shapes")
    before: Any = detector.model.rpn.anchor_generator
    sizes = tuple(tuple(size * factor for size in level) for level in before.sizes)
    detector.model.rpn.anchor_generator = AnchorGenerator(sizes, before.aspect_ratios)
    report = examine("shapes:8:3", detector)
    found = report.find("anchor_sizes")
    assert found is not None
    assert found.severity is Severity.ERROR
    assert "Train with anchor sizes" in found.remedy
    assert report.find("input_size") is None
    assert report.fits is not None
    assert found.count == int((report.fits.best_iou < 0.5).sum())


def test_an_input_that_is_shrunk_too_far_is_told_from_wrong_anchors() -> None:
    detector = load_detector("shapes")
    transform: Any = detector.model.transform
    transform.min_size, transform.max_size = (64,), 64
    report = examine("shapes:8:3", detector)
    found = report.find("input_size")
    assert found is not None
    assert found.severity is Severity.ERROR
    assert "25% of their size" in found.message
    assert "64 and 64 now" in found.remedy
    assert report.find("anchor_sizes") is None
    assert report.find("under_a_stride") is not None


def test_boxes_that_mean_something_else_are_not_measured_with_anchors() -> None:
    class Sides(RandomItems):
        def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, Any]]:
            pixels, target = super().__getitem__(index)
            boxes = target["boxes"].clone()
            boxes[:, 2:] -= boxes[:, :2]
            return pixels, {**target, "boxes": boxes}

    report = examine(Sides([(96, 128)] * 4), shared_detector("pyramid_best_class"))
    assert [finding.check for finding in report.errors] == ["box_format"]
    assert report.fits is None


def test_a_detector_without_names_is_counted() -> None:
    report = examine("shapes:2:3", shared_detector("pyramid_best_class"))
    found = report.find("category_count")
    assert found is not None
    assert "the data set has 6 categories, the model 5" in found.message


def test_numbered_names_of_a_model_are_no_classes_that_are_never_seen() -> None:
    detector = shared_detector("pyramid_best_class")
    assert detector.categories[1] == "category 1"
    assert examine("shapes:12:3", detector).find("class_never_seen") is None
