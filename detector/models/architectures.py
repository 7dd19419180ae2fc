"""Which architecture a foreign checkpoint has: read from its tensors, asked for where they are silent.

Shapes: `K` categories with background, `A` anchors per cell, `L` pyramid levels, `F` channels, `D` hidden.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from detector.models.blueprints import Blueprint
from detector.models.families import (
    BOX_DELTAS,
    CLASS_SCORES,
    MOBILENETS,
    OBJECTNESS,
    PYRAMID,
    TORCHVISION_NAMES,
    body_blocks,
    family_of,
)
from detector.models.pyramid import PyramidConfig

_RATIOS = (0.5, 1.0, 2.0)
_BASIC_BODIES = {"small": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
_EMBEDDING = "roi_heads.box_head.fc6.weight"
_FPN_WIDTH = "backbone.fpn.layer_blocks.0.0.weight"


@dataclass(frozen=True, slots=True)
class Hints:
    """What a caller knows of a checkpoint and its tensors do not say; None where unknown.

    Args:
        architecture: `pyramid` or a torchvision name.
        anchor_sizes: side in network pixels of the anchors, one tuple per level, finest first.
        aspect_ratios: height / width of the anchors, the same on every level.
        min_size, max_size: bounds of the network input's shorter and longer side, in pixels.
        norm_eps: epsilon of the frozen BatchNorm of a pretrained backbone.
        rpn_score: the RPN's score threshold.
    """

    architecture: str | None = None
    anchor_sizes: Sequence[Sequence[float]] | None = None
    aspect_ratios: Sequence[float] | None = None
    min_size: int | None = None
    max_size: int | None = None
    norm_eps: float | None = None
    rpn_score: float | None = None

    def given(self) -> tuple[str, ...]:
        """The names of the fields that are not None."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)

    def filled_from(self, other: Hints) -> Hints:
        """These hints, with those of `other` where these are silent."""
        missing = {name: getattr(other, name) for name in other.given() if name not in self.given()}
        return dataclasses.replace(self, **missing)


def infer_blueprint(tensors: Mapping[str, Tensor], hints: Hints) -> Blueprint:
    """The blueprint of the model that these tensors fill.

    Args:
        tensors: a clean state dict (current names, no prefix).
        hints: what the tensors cannot say.

    Raises:
        ValueError: an unknown architecture, one that the hints contradict, or a question that only the
            caller can answer, with the name of the keyword that answers it.
    """
    for name, dimensions in ((CLASS_SCORES, 2), (BOX_DELTAS, 2), (OBJECTNESS, 4)):
        if name not in tensors:
            raise ValueError(f"the tensor {name!r} is missing")
        if tensors[name].ndim != dimensions or 0 in tensors[name].shape:
            raise ValueError(
                f"{name!r} has the shape {list(tensors[name].shape)}; expected {dimensions} dimensions"
            )
    family = _infer_family(tensors, hints)
    settings = (
        _pyramid_settings(tensors) if family == PYRAMID else _torchvision_settings(tensors, family, hints)
    )
    settings |= _anchor_settings(tensors, family, hints)
    for name in ("min_size", "max_size"):
        if getattr(hints, name) is not None:
            settings[name] = getattr(hints, name)
    return Blueprint(family, settings)


def _infer_family(tensors: Mapping[str, Tensor], hints: Hints) -> str:
    asked = hints.architecture
    if asked is not None and asked not in (PYRAMID, *TORCHVISION_NAMES):
        raise ValueError(
            f"there is no architecture {asked!r}; there are {', '.join((PYRAMID, *TORCHVISION_NAMES))}"
        )
    small_input = MOBILENETS.index(asked) == 1 if asked in MOBILENETS else None
    family = family_of(tensors, small_input=small_input)
    if asked not in (None, family):
        raise ValueError(f"its tensors are those of {family}, not of {asked}")
    return family


def _torchvision_settings(tensors: Mapping[str, Tensor], family: str, hints: Hints) -> dict[str, Any]:
    settings: dict[str, Any] = {"num_classes": len(tensors[CLASS_SCORES])}
    keypoints = "roi_heads.keypoint_predictor.kps_score_lowres.weight"
    if family.startswith("keypointrcnn"):
        if keypoints not in tensors or tensors[keypoints].ndim != 4:
            raise ValueError(f"the tensor {keypoints!r} is missing or not 4-dimensional")
        settings["num_keypoints"] = tensors[keypoints].shape[1]
    if hints.rpn_score is not None:
        settings["rpn_score_thresh"] = hints.rpn_score
    if has_frozen_norm(tensors):
        settings |= {"frozen_norm": True, "norm_eps": 1e-5 if hints.norm_eps is None else hints.norm_eps}
    elif hints.norm_eps is not None:
        raise ValueError("its backbone has no frozen BatchNorm; leave norm_eps out")
    return settings


def has_frozen_norm(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the backbone was built with `FrozenBatchNorm2d`, which counts no batches."""
    counters = (name for name in tensors if name.endswith("num_batches_tracked"))
    return not any(name.startswith("backbone.body.") for name in counters)


def _pyramid_settings(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    for name in (_EMBEDDING, _FPN_WIDTH):
        if name not in tensors or tensors[name].ndim < 2:
            raise ValueError(f"the tensor {name!r} is missing or has too few dimensions")
    blocks = body_blocks(tensors)
    bottleneck = "backbone.body.layer1.0.conv3.weight" in tensors
    bodies = {"resnet50": (3, 4, 6, 3)} if bottleneck else _BASIC_BODIES
    body = next((name for name, counts in bodies.items() if counts[: len(blocks)] == blocks), None)
    if body is None:
        raise ValueError(f"its ResNet has stages of {list(blocks)} blocks; a pyramid has no such body")
    return {
        "num_classes": len(tensors[CLASS_SCORES]),
        "body": body,
        "first_stage": len(blocks) - 2,
        "channels": tensors[_FPN_WIDTH].shape[0],
        "hidden": tensors[_EMBEDDING].shape[0],
    }


def _anchor_settings(tensors: Mapping[str, Tensor], family: str, hints: Hints) -> dict[str, Any]:
    """The anchor settings, none where the default fits; A must come out as the tensors have it."""
    default = _default_sizes(family)
    anchors = len(tensors[OBJECTNESS])
    ratios = tuple(hints.aspect_ratios or _RATIOS)
    sizes = tuple(tuple(level) for level in hints.anchor_sizes or default)
    if len(sizes) != len(default):
        raise ValueError(f"anchor_sizes has {len(sizes)} levels; {family} has {len(default)}")
    if any(len(level) * len(ratios) != anchors for level in sizes):
        raise ValueError(
            f"its RPN has {anchors} anchors per cell, not {len(sizes[0])} x {len(ratios)} (sizes x ratios); give "
            f"anchor_sizes= ({len(default)} tuples, one per level), and aspect_ratios= where not {_RATIOS}"
        )
    if hints.anchor_sizes is None and hints.aspect_ratios is None:
        return {}
    return {"anchor_sizes": sizes, "aspect_ratios": ratios if family == PYRAMID else (ratios,) * len(sizes)}


def _default_sizes(family: str) -> tuple[tuple[float, ...], ...]:
    if family == PYRAMID:
        return PyramidConfig(num_classes=2).anchor_sizes
    if family in MOBILENETS:
        return ((32, 64, 128, 256, 512),) * 3
    return ((32,), (64,), (128,), (256,), (512,))
