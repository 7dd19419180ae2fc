"""A detector without its weights: which family it is of, and the settings that build it again.

Shapes: `K` categories with background, `A` anchors per cell, `L` pyramid levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FasterRCNN
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.keypoint_rcnn import KeypointRCNN
from torchvision.models.detection.mask_rcnn import MaskRCNN
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FrozenBatchNorm2d

from detector.models.families import PYRAMID, TORCHVISION_NAMES, family_of, is_version_2
from detector.models.pyramid import PyramidConfig, PyramidDetector, build_pyramid

# torchvision's builder keyword -> where the built model keeps it.
_KEPT_AT = {
    "image_mean": "transform.image_mean",
    "image_std": "transform.image_std",
    "min_size": "transform.min_size",
    "max_size": "transform.max_size",
    "rpn_pre_nms_top_n_train": "rpn._pre_nms_top_n.training",
    "rpn_pre_nms_top_n_test": "rpn._pre_nms_top_n.testing",
    "rpn_post_nms_top_n_train": "rpn._post_nms_top_n.training",
    "rpn_post_nms_top_n_test": "rpn._post_nms_top_n.testing",
    "rpn_nms_thresh": "rpn.nms_thresh",
    "rpn_score_thresh": "rpn.score_thresh",
    "rpn_fg_iou_thresh": "rpn.proposal_matcher.high_threshold",
    "rpn_bg_iou_thresh": "rpn.proposal_matcher.low_threshold",
    "rpn_batch_size_per_image": "rpn.fg_bg_sampler.batch_size_per_image",
    "rpn_positive_fraction": "rpn.fg_bg_sampler.positive_fraction",
    "box_score_thresh": "roi_heads.score_thresh",
    "box_nms_thresh": "roi_heads.nms_thresh",
    "box_detections_per_img": "roi_heads.detections_per_img",
    "box_fg_iou_thresh": "roi_heads.proposal_matcher.high_threshold",
    "box_bg_iou_thresh": "roi_heads.proposal_matcher.low_threshold",
    "box_batch_size_per_image": "roi_heads.fg_bg_sampler.batch_size_per_image",
    "box_positive_fraction": "roi_heads.fg_bg_sampler.positive_fraction",
}
_OWN_SETTINGS = {"anchor_sizes", "aspect_ratios", "frozen_norm", "norm_eps"}
_BUILDER_SETTINGS = {*_KEPT_AT, "num_classes", "num_keypoints"}


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What is needed to build a detector, weights aside.

    Args:
        family: `pyramid`, or the name of a torchvision builder.
        settings: for a pyramid the settings of `PyramidConfig`. For torchvision: keywords of the builder
            (`num_classes` and any other that differs from its default), and of our own `anchor_sizes` and
            `aspect_ratios` (one tuple per level), `frozen_norm` (a backbone with `FrozenBatchNorm2d`, which
            torchvision uses with pretrained weights) and `norm_eps` (its epsilon).

    Raises:
        ValueError: an unknown family or setting.
    """

    family: str
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.family == PYRAMID:
            PyramidConfig.from_dict(self.settings)
            return
        if self.family not in TORCHVISION_NAMES:
            raise ValueError(
                f"no detector family {self.family!r}; there are {', '.join((PYRAMID, *TORCHVISION_NAMES))}"
            )
        unknown = set(self.settings) - _BUILDER_SETTINGS - _OWN_SETTINGS
        if unknown:
            raise ValueError(f"{self.family} has no setting {min(unknown)!r}")

    @classmethod
    def of(cls, model: GeneralizedRCNN) -> Blueprint:
        """The blueprint of a built model.

        Raises:
            ValueError: a model that is neither a `PyramidDetector` nor of one of the torchvision families.
        """
        if isinstance(model, PyramidDetector):
            return cls(PYRAMID, model.config.to_dict())
        if type(model) not in (FasterRCNN, MaskRCNN, KeypointRCNN):
            raise ValueError(
                f"a {type(model).__name__} cannot be described; a checkpoint takes a pyramid detector or a "
                f"torchvision one ({', '.join(TORCHVISION_NAMES)})"
            )
        settings = {name: _plain(_read(model, where)) for name, where in _KEPT_AT.items()}
        family = family_of(model.state_dict(), small_input=min(settings["min_size"]) <= 320)
        return cls(family, {**settings, **_head_settings(model), **_norm_settings(model)})

    def outline(self) -> GeneralizedRCNN:
        """A model in eval mode whose weights are `meta` tensors: names, types and shapes, but no values.

        Its anchors are real, so that it works once its weights are put in (`load_state_dict(assign=True)`).
        """
        with torch.device("meta"):
            model = self.build()
        generator = _read(model, "rpn.anchor_generator")
        model.rpn.anchor_generator = AnchorGenerator(generator.sizes, generator.aspect_ratios).eval()
        return model

    def build(self) -> GeneralizedRCNN:
        """A model with random weights, in eval mode on the CPU; the random state is left as it was."""
        with torch.random.fork_rng(devices=[]):
            if self.family == PYRAMID:
                return build_pyramid(PyramidConfig.from_dict(self.settings)).eval()
            keywords = {name: value for name, value in self.settings.items() if name in _BUILDER_SETTINGS}
            model = getattr(detection, self.family)(weights=None, weights_backbone=None, **keywords)
            if "anchor_sizes" in self.settings:
                self._set_anchors(model)
        if self.settings.get("frozen_norm"):
            freeze_norm(_read(model, "backbone.body"), self.settings.get("norm_eps", 1e-5))
        return model.eval()

    def _set_anchors(self, model: FasterRCNN) -> None:
        sizes = tuple(tuple(level) for level in self.settings["anchor_sizes"])
        ratios = tuple(tuple(level) for level in self.settings["aspect_ratios"])
        generator = AnchorGenerator(sizes, ratios)
        anchors = generator.num_anchors_per_location()[0]
        if anchors != _read(model, "rpn.head.cls_logits.out_channels"):
            depth = 2 if is_version_2(self.family) else 1
            model.rpn.head = RPNHead(_read(model, "backbone.out_channels"), anchors, conv_depth=depth)
        model.rpn.anchor_generator = generator


def freeze_norm(module: nn.Module, eps: float) -> None:
    """Put a `FrozenBatchNorm2d` of epsilon `eps` in place of every BatchNorm below `module`."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features, eps))
        else:
            freeze_norm(child, eps)


def _read(model: nn.Module, where: str) -> Any:  # noqa: ANN401 - settings are of any plain type
    value: Any = model
    for part in where.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


def _plain(value: Any) -> Any:  # noqa: ANN401
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _head_settings(model: GeneralizedRCNN) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "num_classes": _read(model, "roi_heads.box_predictor.cls_score.out_features"),
        "anchor_sizes": _plain(_read(model, "rpn.anchor_generator.sizes")),
        "aspect_ratios": _plain(_read(model, "rpn.anchor_generator.aspect_ratios")),
    }
    if isinstance(model, KeypointRCNN):
        settings["num_keypoints"] = _read(model, "roi_heads.keypoint_predictor.kps_score_lowres.out_channels")
    return settings


def _norm_settings(model: GeneralizedRCNN) -> dict[str, Any]:
    frozen = [m for m in _read(model, "backbone.body").modules() if isinstance(m, FrozenBatchNorm2d)]
    return {"frozen_norm": True, "norm_eps": frozen[0].eps} if frozen else {"frozen_norm": False}
