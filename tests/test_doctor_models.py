"""The doctor names what is wrong with a model: anchors, thresholds, norms, weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.items import RandomItems
from support.models import (
    build_detector,
)
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FrozenBatchNorm2d

from detector import Thresholds
from detector.judging.doctor import examine
from detector.judging.findings import Finding, Report, Severity

RATIOS = (0.5, 1.0, 2.0)


def _named(report: Report, check: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.check == check]


def _with(change: Callable[[Any], None]) -> Report:
    detector = build_detector("pyramid_per_class")
    change(detector.model)
    return examine(RandomItems([(96, 128), (128, 96)], count=6), detector)


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
