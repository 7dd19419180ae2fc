"""The architecture of a foreign checkpoint: what its tensors say and what has to be asked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from support.checkpoints import (
    MOBILE,
    meta_state,
)
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FrozenBatchNorm2d

from detector.models.architectures import Hints, infer_blueprint
from detector.models.families import TORCHVISION_NAMES
from detector.models.published import find_published
from detector.models.pyramid import PyramidConfig, build_pyramid


@pytest.mark.parametrize("classes", [2, 7, 91])
@pytest.mark.parametrize("name", TORCHVISION_NAMES)
def test_every_architecture_is_recognised(name: str, classes: int) -> None:
    extra = {"num_keypoints": 5} if name.startswith("keypoint") else {}
    state = meta_state(name, num_classes=classes, **extra)
    hints = Hints(architecture=name) if "mobilenet" in name else Hints()
    blueprint = infer_blueprint(state, hints)
    assert (blueprint.family, blueprint.settings["num_classes"]) == (name, classes)
    built = blueprint.outline().state_dict()
    assert {key: tensor.shape for key, tensor in built.items()} == {
        key: tensor.shape for key, tensor in state.items()
    }


@pytest.mark.parametrize("body", ["small", "resnet18", "resnet34", "resnet50"])
@pytest.mark.parametrize("first_stage", [1, 2])
def test_every_pyramid_is_recognised(body: Any, first_stage: int) -> None:
    config = PyramidConfig(num_classes=5, body=body, first_stage=first_stage, channels=8, hidden=12)
    with torch.device("meta"):
        state = dict(build_pyramid(config).state_dict())
    blueprint = infer_blueprint(state, Hints())
    assert PyramidConfig.from_dict(blueprint.settings) == config


def test_frozen_norm_is_recognised() -> None:
    state = meta_state("fasterrcnn_resnet50_fpn", num_classes=3)
    frozen = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    outline = infer_blueprint(frozen, Hints(norm_eps=0.5)).outline()
    assert {m.eps for m in outline.modules() if isinstance(m, FrozenBatchNorm2d)} == {0.5}
    assert list(outline.state_dict()) == list(frozen)
    with pytest.raises(ValueError, match="norm_eps"):
        infer_blueprint(state, Hints(norm_eps=0.5))


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", MOBILE])
def test_other_anchors_are_asked_for(name: str) -> None:
    levels = 3 if name == MOBILE else 5
    sizes = tuple((8 * 2**level, 11 * 2**level) for level in range(levels))
    state = meta_state(name, num_classes=3)
    with torch.device("meta"):
        head = RPNHead(256, 6, conv_depth=2 if name.endswith("v2") else 1).state_dict()
    state |= {f"rpn.head.{key}": tensor for key, tensor in head.items()}
    with pytest.raises(ValueError, match=rf"6 anchors per cell.*anchor_sizes= \({levels} tuples"):
        infer_blueprint(state, Hints(architecture=name))
    model: Any = infer_blueprint(state, Hints(architecture=name, anchor_sizes=sizes)).outline()
    assert model.rpn.anchor_generator.sizes == sizes
    assert model.rpn.head.cls_logits.out_channels == 6
    expected = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * levels).cell_anchors
    assert all(map(torch.equal, model.rpn.anchor_generator.cell_anchors, expected))
    ratios = infer_blueprint(
        state, Hints(architecture=name, anchor_sizes=[[32]] * levels, aspect_ratios=range(1, 7))
    )
    assert ratios.settings["aspect_ratios"] == ((1, 2, 3, 4, 5, 6),) * levels
    for wrong in (sizes[1:], tuple((8, 16, 32) for _ in range(levels))):
        with pytest.raises(ValueError, match="anchor"):
            infer_blueprint(state, Hints(architecture=name, anchor_sizes=wrong))


def test_a_hint_that_contradicts_the_tensors() -> None:
    state = meta_state("maskrcnn_resnet50_fpn", num_classes=3)
    with pytest.raises(ValueError, match="those of maskrcnn_resnet50_fpn"):
        infer_blueprint(state, Hints(architecture="fasterrcnn_resnet50_fpn"))
    with pytest.raises(ValueError, match="no architecture 'yolo'"):
        infer_blueprint(state, Hints(architecture="yolo"))


def test_other_backbones_are_named() -> None:
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    with torch.device("meta"):
        backbone = resnet_fpn_backbone(backbone_name="resnet101", weights=None)
        state = detection.FasterRCNN(backbone, num_classes=3).state_dict()
    with pytest.raises(ValueError, match=r"\[3, 4, 23, 3\] blocks.*Detector\.wrap"):
        infer_blueprint(state, Hints())


def test_the_reference_script_says_its_epsilon(tmp_path: Path) -> None:
    from detector.models.training_words import hints_beside

    said = {
        "FasterRCNN_ResNet50_FPN_Weights.COCO_V1": 0.0, "FasterRCNN_ResNet50_FPN_Weights.DEFAULT": 0.0,
        "COCO_V1": 0.0, None: 1e-5, "nonsense": None, 7: None,
    }  # fmt: skip
    for weights, eps in said.items():
        args = argparse.Namespace(model="fasterrcnn_resnet50_fpn", weights=weights)
        assert hints_beside({"args": args}).norm_eps == eps
    legacy = argparse.Namespace(model="keypointrcnn_resnet50_fpn", weights="COCO_LEGACY")
    assert hints_beside({"args": legacy}).norm_eps == 1e-5
    assert not hints_beside({"args": argparse.Namespace(model="retinanet_resnet50_fpn")}).given()
    assert not hints_beside({"args": {"model": MOBILE}, "hyper_parameters": [1]}).given()


def test_published_files_are_known_by_their_hash() -> None:
    without_eps = {"258fb6c6": "fasterrcnn", "bf2d0c1e": "maskrcnn", "fc266e95": "keypointrcnn"}
    for digits, kind in without_eps.items():
        found = find_published(digits + "0" * 56, "renamed.pth")
        assert found is not None
        assert found.verified
        assert (found.family, found.norm_eps) == (f"{kind}_resnet50_fpn", 0.0)
    for digits in ("dd69338a", "9f466800", "907ea3f9", "73cbd019", "fb6a3cc7"):
        found = find_published(digits + "f" * 56, "renamed.pth")
        assert found is not None
        assert found.norm_eps == 1e-5
    by_name = find_published("0" * 64, "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth")
    assert by_name is not None
    assert not by_name.verified
    assert find_published("0" * 64, "best.pth") is None
