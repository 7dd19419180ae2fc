"""The doctor's look at anchors and models: against captures and the model's own training step, changing nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
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
from torchvision.ops import FrozenBatchNorm2d

from detector import Thresholds, capture, load_detector
from detector.data import ShapesDataset
from detector.judging.anchor_grid import AnchorGrids, map_sizes
from detector.judging.doctor import examine
from detector.judging.findings import Finding, Report, Severity
from detector.tracing.sampling import training_view

RATIOS = (0.5, 1.0, 2.0)
FAMILIES = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "pyramid_best_class",
    "single map",
)


class Items(torch.utils.data.Dataset):
    """Images with random objects, of several sizes."""

    def __init__(self, sizes: list[tuple[int, int]], count: int = 4) -> None:
        self.sizes, self.count = sizes, count

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, Any]]:
        truth = random_truth(index, self.sizes[index], self.count)
        return random_image(index, self.sizes[index]), {"boxes": truth.boxes, "labels": truth.labels}


def _named(report: Report, check: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.check == check]


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
    data = Items([(96, 128), (128, 96), (160, 160)])
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
    examine(Items([(96, 128)]), detector)
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


def _with(change: Callable[[Any], None]) -> Report:
    detector = build_detector("pyramid_per_class")
    change(detector.model)
    return examine(Items([(96, 128), (128, 96)], count=6), detector)


def _knobs(**changes: float) -> Callable[[Any], None]:
    return lambda model: Thresholds.from_model(model).replace(**changes).apply_to(model)


def _set(path: str, value: object) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        *owners, name = path.split(".")
        for owner in owners:
            model = getattr(model, owner)
        setattr(model, name, value)

    return change


def _four_levels(model: Any) -> None:
    model.rpn.anchor_generator = AnchorGenerator(((12, 20), (32, 48), (64, 80), (96, 128)), (RATIOS,) * 4)


def _three_kinds(model: Any) -> None:
    model.rpn.anchor_generator = AnchorGenerator(((32,), (64,), (128,)), (RATIOS,) * 3)


def _frozen_norms(model: Any) -> list[FrozenBatchNorm2d]:
    """As torchvision builds its ResNets for detection: every norm of the first stage frozen."""
    found = []
    for block in model.backbone.body.layer1:
        for name in ("bn1", "bn2"):
            setattr(block, name, FrozenBatchNorm2d(getattr(block, name).num_features))
            found.append(getattr(block, name))
    return found


def _tiny_variances(model: Any) -> None:
    for norm in _frozen_norms(model):
        norm.running_var.fill_(1e-6)


def _one_other_eps(model: Any) -> None:
    _frozen_norms(model)[0].eps = 0.0


def _divides_by_zero(model: Any) -> None:
    for norm in _frozen_norms(model):
        norm.eps = 0.0
        norm.running_var[0] = 0


def _twice(model: Any) -> None:
    once = model.transform.normalize
    model.transform.normalize = lambda image: once(once(image))


BROKEN_MODELS = {
    "box limit": (_knobs(box_limit=5), "box_limit", Severity.ERROR, "2 of 2 images hold more objects"),
    "proposals": (_knobs(rpn_post_nms_top_n=5), "rpn_top_n", Severity.ERROR, "rpn_post_nms_top_n is 5"),
    "few proposals": (_knobs(rpn_post_nms_top_n=20), "rpn_top_n", Severity.WARNING, "rpn_post_nms_top_n is 20"),
    "few candidates": (_knobs(rpn_pre_nms_top_n=5), "rpn_top_n", Severity.WARNING, "rpn_pre_nms_top_n is 5"),
    "RPN NMS": (_knobs(rpn_nms=0.1), "rpn_nms", Severity.WARNING, "suppress each other"),
    "RPN NMS off": (_knobs(rpn_nms=0.99), "rpn_nms", Severity.WARNING, "use up the limit"),
    "RPN score": (_knobs(rpn_score=0.6), "rpn_score", Severity.WARNING, "rpn_score is 0.6"),
    "box score": (_knobs(box_score=0.9), "box_score", Severity.WARNING, "box_score is 0.9"),
    "box NMS": (_knobs(box_nms=0.1), "box_nms", Severity.WARNING, "that touch suppress"),
    "box NMS off": (_knobs(box_nms=0.95), "box_nms", Severity.WARNING, "duplicates"),
    "levels": (_four_levels, "levels", Severity.ERROR, "3 feature maps, the anchors have sizes for 4 levels"),
    "kinds": (_three_kinds, "levels", Severity.ERROR, "the RPN's head has 6 outputs"),
    "pooled map": (_set("roi_heads.box_roi_pool.featmap_names", ["p8", "p9"]), "levels", Severity.ERROR, "p8, p9"),
    "normalised twice": (_twice, "double_normalisation", Severity.ERROR, "applied twice"),
    "mean in bytes": (
        _set("transform.image_mean", [123.7, 116.3, 103.5]), "double_normalisation", Severity.ERROR, "up to 255",
    ),
    "epsilon matters": (_tiny_variances, "norm_eps", Severity.NOTE, "depend on it"),
    "epsilons differ": (_one_other_eps, "norm_eps", Severity.WARNING, "different epsilons"),
    "division by zero": (_divides_by_zero, "norm_eps", Severity.ERROR, "divides by 0"),
    "all frozen": (lambda model: model.requires_grad_(False), "frozen", Severity.WARNING, "every parameter"),
    "RPN frozen": (lambda model: model.rpn.requires_grad_(False), "frozen", Severity.WARNING, "of the RPN"),
    "body frozen": (lambda m: m.backbone.body.requires_grad_(False), "frozen", Severity.NOTE, "of the backbone"),
    "no positives": (
        _set("rpn.fg_bg_sampler.positive_fraction", 0.001), "few_positives", Severity.ERROR, "at most 0 positives",
    ),
    "fewer positives than objects": (
        _set("roi_heads.fg_bg_sampler.positive_fraction", 0.001), "few_positives", Severity.ERROR, "holds 6.0 obj",
    ),
    "many negatives": (
        _set("rpn.fg_bg_sampler.batch_size_per_image", 20_000), "few_positives", Severity.WARNING, "can expect",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound() -> Report:
    return _with(lambda model: None)


@pytest.mark.parametrize("name", BROKEN_MODELS)
def test_what_is_wrong_with_a_model_is_named(name: str, sound: Report) -> None:
    change, check, severity, words = BROKEN_MODELS[name]
    found = [f for f in _named(_with(change), check) if f.severity is severity and words in f.message]
    assert found, [(f.severity, f.check, f.message) for f in _named(_with(change), check)]
    assert found[0].remedy
    assert not [f for f in _named(sound, check) if f.severity is severity and words in f.message]


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
    class Sides(Items):
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
