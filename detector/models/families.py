"""The families of detectors, told from the names and shapes of their tensors.

Shapes: `K` categories with background.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

PYRAMID = "pyramid"
TORCHVISION_NAMES = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
    "keypointrcnn_resnet50_fpn",
)
MOBILENETS = ("fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn")

CLASS_SCORES = "roi_heads.box_predictor.cls_score.weight"
BOX_DELTAS = "roi_heads.box_predictor.bbox_pred.weight"
OBJECTNESS = "rpn.head.cls_logits.weight"
_RESNET50_BLOCKS = (3, 4, 6, 3)


def is_version_2(family: str) -> bool:
    """Whether a torchvision family is one of the improved `_v2` recipes."""
    return family.endswith("_v2")


def family_of(state: Mapping[str, Tensor], *, small_input: bool | None = None) -> str:
    """The family that a state dict (current names, no prefix) belongs to.

    Args:
        state: tensors by name.
        small_input: whether a MobileNet takes the 320-pixel input; the tensors of both are alike.

    Raises:
        ValueError: the tensors belong to no family, or to a MobileNet while `small_input` is None.
    """
    if _is_pyramid(state):
        return PYRAMID
    if "backbone.body.0.0.weight" in state:
        if small_input is None:
            raise ValueError(
                "the tensors fit two architectures that differ only in their input size; say which with "
                + " or ".join(f"architecture={name!r}" for name in MOBILENETS)
            )
        return MOBILENETS[small_input]
    blocks = body_blocks(state)
    if blocks != _RESNET50_BLOCKS or "backbone.body.layer1.0.conv3.weight" not in state:
        raise ValueError(
            f"the backbone is not one of the known ones (ResNet-50 or MobileNetV3-Large; its stages have "
            f"{list(blocks) or 'no'} blocks); build the model yourself and give it to Detector.wrap"
        )
    return _resnet50_family(state)


def _is_pyramid(state: Mapping[str, Tensor]) -> bool:
    """Three maps of a ResNet, and box deltas that do not depend on the class."""
    maps = count_blocks(state, "backbone.fpn.layer_blocks.")
    return bool(body_blocks(state)) and maps == 3 and (BOX_DELTAS not in state or len(state[BOX_DELTAS]) == 4)


def _resnet50_family(state: Mapping[str, Tensor]) -> str:
    heads = {name.split(".")[1] for name in state if name.startswith("roi_heads.")}
    if "keypoint_head" in heads or "keypoint_predictor" in heads:
        return "keypointrcnn_resnet50_fpn"
    kind = "maskrcnn" if {"mask_head", "mask_predictor"} & heads else "fasterrcnn"
    convolutional = any(name.startswith("roi_heads.box_head.0.") for name in state)
    return f"{kind}_resnet50_fpn" + ("_v2" if convolutional else "")


def body_blocks(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Blocks in each ResNet stage of the backbone, first stage first; empty for another body."""
    counts = (count_blocks(state, f"backbone.body.layer{stage}.") for stage in range(1, 5))
    return tuple(count for count in counts if count)


def count_blocks(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered modules `prefix0`, `prefix1`, ... a state dict has."""
    return len({name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)})
