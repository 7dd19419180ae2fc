"""Small real detectors with random weights, the same for the same seed."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torchvision.models.detection as zoo
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign

from detector import Detector, GroundTruth
from detector.models.families import TORCHVISION_NAMES
from detector.models.pyramid import PyramidConfig, build_pyramid
from detector.models.pyramid_heads import PyramidRoIHeads

PYRAMIDS = ("pyramid_best_class", "pyramid_per_class")
CLASSES = 6
ARCHITECTURES = (*TORCHVISION_NAMES, *PYRAMIDS)


def build_detector(name: str, seed: int = 0) -> Detector:
    """A fresh instance: six classes, 128 px input, weights spread so that scores and boxes differ."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if name in PYRAMIDS:
            config = PyramidConfig(
                num_classes=CLASSES, body="small", channels=16, hidden=24, min_size=128, max_size=192,
                detection_rule=name.removeprefix("pyramid_"),
            )  # fmt: skip
            model: FasterRCNN = build_pyramid(config)
        else:
            model = getattr(zoo, name)(
                weights=None, weights_backbone=None, num_classes=CLASSES, min_size=128, max_size=192
            )
            if "resnet50" in name:
                narrow_heads(model)
            calibrate_norms(model)
        spread_outputs(model)
    return Detector.wrap(model.eval(), name=name)


@cache
def shared_detector(name: str) -> Detector:
    """One instance per worker, for tests that only look."""
    return build_detector(name)


def narrow_heads(model: FasterRCNN) -> None:
    """torchvision's own heads with fewer channels, layer for layer otherwise.

    At full width a thousand RoIs cost many times what the backbone does. (The MobileNets, whose images are left
    with few RoIs, keep their width.)
    """
    heads: Any = model.roi_heads
    if isinstance(heads.box_head, TwoMLPHead):
        heads.box_head = TwoMLPHead(256 * 7**2, 128)
    else:
        heads.box_head = FastRCNNConvFCHead((256, 7, 7), [16] * 4, [128], norm_layer=nn.BatchNorm2d)
    heads.box_predictor = FastRCNNPredictor(128, CLASSES)
    if heads.has_mask():
        norms = any(isinstance(module, nn.BatchNorm2d) for module in heads.mask_head.modules())
        heads.mask_head = MaskRCNNHeads(256, [16] * 4, 1, norm_layer=nn.BatchNorm2d if norms else None)
        heads.mask_predictor = MaskRCNNPredictor(16, 16, CLASSES)
    if heads.has_keypoint():
        heads.keypoint_head = KeypointRCNNHeads(256, [16] * 8)
        heads.keypoint_predictor = KeypointRCNNPredictor(16, 17)


def calibrate_norms(model: FasterRCNN) -> None:
    """Give each frozen norm the statistics of what flows into it.

    Without, random weights make features that are the same everywhere to eight digits: every score is a tie.
    """

    def adopt(norm: Any, args: tuple[Tensor, ...]) -> None:
        variance = args[0].var(dim=(0, 2, 3)) + 1e-30
        norm.running_mean.copy_(args[0].mean(dim=(0, 2, 3)))
        norm.running_var.copy_(variance)
        norm.weight.copy_(((variance + norm.eps) / variance).sqrt())

    norms = [
        module
        for module in model.backbone.modules()
        if isinstance(module, FrozenBatchNorm2d | nn.BatchNorm2d)
    ]
    handles = [norm.register_forward_pre_hook(adopt) for norm in norms]
    with torch.no_grad():
        model.backbone(random_image(99, (128, 192))[None] * 4 - 2)
    for handle in handles:
        handle.remove()


def spread_outputs(model: FasterRCNN) -> None:
    """Random heads say the same of every box; larger weights make scores, classes and boxes differ."""
    predictor, head = model.roi_heads.box_predictor, model.rpn.head
    with torch.no_grad():
        for layer, std in (
            (head.cls_logits, 0.3), (head.bbox_pred, 0.05), (predictor.cls_score, 0.4), (predictor.bbox_pred, 0.2),
        ):  # fmt: skip
            nn.init.normal_(layer.weight, std=std)


def single_map_detector(seed: int = 0) -> Detector:
    """A Faster R-CNN without pyramid: the backbone returns one bare tensor."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 4, 1), nn.ReLU())
        backbone.out_channels = 16
        model = FasterRCNN(
            backbone, num_classes=4, min_size=96, max_size=128,
            rpn_anchor_generator=AnchorGenerator(((16, 32, 64),), ((0.5, 1.0, 2.0),)),
            box_roi_pool=MultiScaleRoIAlign(["0"], 7, 2),
        )  # fmt: skip
        spread_outputs(model)
    return Detector.wrap(model.eval(), ("square", "disc", "ring"), name="single map")


def random_image(seed: int = 0, size: tuple[int, int] = (96, 128)) -> Tensor:
    """Float [3, H, W] in [0, 1]: blocks of colour with noise."""
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.rand((3, size[0] // 16, size[1] // 16), generator=generator)
    image = nn.functional.interpolate(blocks[None], size=size, mode="nearest")[0]
    return (image + 0.1 * torch.rand((3, *size), generator=generator)).clamp(0, 1)


def random_truth(
    seed: int = 0, size: tuple[int, int] = (96, 128), count: int = 4, classes: int = 6
) -> GroundTruth:
    """A few boxes inside an image of `size`."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    corner = torch.rand((count, 2), generator=generator) * torch.tensor([width * 0.6, height * 0.6])
    sides = 8 + torch.rand((count, 2), generator=generator) * torch.tensor([width * 0.35, height * 0.35])
    labels = torch.randint(1, classes, (count,), generator=generator)
    return GroundTruth(torch.cat((corner, corner + sides), dim=1), labels)


class MovedBoxes(PyramidRoIHeads):
    """A box filter of its own, which a replay does not know: every box one pixel further."""

    def postprocess_detections(
        self,
        class_logits: Tensor,
        box_regression: Tensor,
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The boxes of the parent, moved."""
        given = class_logits, box_regression, proposals, image_shapes
        boxes, scores, labels = super().postprocess_detections(*given)
        return [one + 1 for one in boxes], scores, labels
