"""The weight files that torchvision publishes: recognising one, and what torchvision does when it loads it.

torchvision names its files `<model>-<first 8 hex digits of the SHA-256>.pth` and checks the digits when it
downloads (`torch.hub.load_state_dict_from_url`, `check_hash`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torchvision.models import get_model_weights
from torchvision.models._api import WeightsEnum
from torchvision.models.detection import (
    FasterRCNN_ResNet50_FPN_Weights,
    KeypointRCNN_ResNet50_FPN_Weights,
    MaskRCNN_ResNet50_FPN_Weights,
)

from detector.models.families import TORCHVISION_NAMES

# The builders of these three call `overwrite_eps(model, 0.0)` (torchvision/models/detection/_utils.py): they
# were trained before FrozenBatchNorm2d got its epsilon (pull request 2933). No other weights are treated so.
_TRAINED_WITHOUT_EPS = (
    FasterRCNN_ResNet50_FPN_Weights.COCO_V1,
    MaskRCNN_ResNet50_FPN_Weights.COCO_V1,
    KeypointRCNN_ResNet50_FPN_Weights.COCO_V1,
)
FAMILIES_WITHOUT_EPS = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn")


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A weight file of torchvision's own.

    Args:
        family: the builder it belongs to.
        weights: the member of torchvision's enum.
        verified: True when the SHA-256 says so, False when only the file name does.
    """

    family: str
    weights: WeightsEnum
    verified: bool

    @property
    def norm_eps(self) -> float:
        """The epsilon of the backbone's FrozenBatchNorm2d under torchvision's own loading."""
        return 0.0 if self.weights in _TRAINED_WITHOUT_EPS else 1e-5

    @property
    def categories(self) -> tuple[str, ...]:
        """K names, index 0 is background."""
        return tuple(self.weights.meta["categories"])


def find_published(sha256: str, file_name: str) -> PublishedFile | None:
    """The published file with this SHA-256 (hex, of the file's bytes), else one with this file name."""
    every = [(family, weights) for family in TORCHVISION_NAMES for weights in get_model_weights(family)]
    for family, weights in every:
        if sha256.startswith(published_name(weights).removesuffix(".pth").rsplit("-", 1)[1]):
            return PublishedFile(family, weights, verified=True)
    for family, weights in every:
        if file_name == published_name(weights):
            return PublishedFile(family, weights, verified=False)
    return None


def published_name(weights: WeightsEnum) -> str:
    """The file name that torchvision publishes and caches these weights under."""
    return str(weights.url).rsplit("/", 1)[1]


def coco_names(family: str) -> tuple[str, ...]:
    """The categories of a family's default COCO weights, index 0 is background."""
    default: Any = get_model_weights(family)
    return tuple(default.DEFAULT.meta["categories"])
