"""The project's own detector: a three-level pyramid, an RPN and a class-agnostic Fast R-CNN head.

Built from torchvision's parts (`FasterRCNN`, `BackboneWithFPN`, `AnchorGenerator`, `MultiScaleRoIAlign`), so
everything that looks at a torchvision detector looks at this one too. It differs in three places: negatives
for the head are drawn with a share of hard ones, box deltas do not depend on the class, and the final rule
may pick one class per RoI.

Shapes: `B` images, `F` channels per map, `A` anchors per cell, `R` RoIs, `K` categories with background,
`D` hidden size. Boxes are xyxy in the network frame unless a docstring says otherwise.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import torchvision
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.ops import MultiScaleRoIAlign

from detector.models.downloads import fetch_weights
from detector.models.pyramid_heads import AgnosticPredictor, BoxEmbedding, PyramidRoIHeads

if TYPE_CHECKING:
    from collections.abc import Mapping

Body = Literal["small", "resnet18", "resnet34", "resnet50"]
LOSS_NAMES = {
    "loss_objectness": "L_rpn_cls",
    "loss_rpn_box_reg": "L_rpn_bbox",
    "loss_classifier": "L_fast_rcnn_cls",
    "loss_box_reg": "L_fast_rcnn_bbox",
}


@dataclass(frozen=True, slots=True)
class PyramidConfig:
    """Everything that is needed to build a pyramid detector; written into its checkpoints.

    Args:
        num_classes: K, categories with the background.
        body: ResNet body; `small` has one basic block per stage.
        first_stage: ResNet stage of the finest map (1 gives strides 4, 8, 16).
        channels: F, channels of each of the three maps.
        hidden: D, hidden size of the Fast R-CNN classifier.
        dropout: probability after each hidden layer of the classifier.
        anchor_sizes: side in network pixels of the anchors, one tuple per level, finest first.
        aspect_ratios: height / width of the anchors, the same on every level.
        min_size, max_size: bounds of the network input's shorter and longer side, in pixels.
        rois_per_image: nBB, RoIs sampled per image for the head's losses.
        positive_fraction: share of positives (IoU >= 0.5) among them; negatives have IoU < 0.3.
        hard_negative_share: share of the negatives that are the hardest instead of drawn at random.
        hard_negative_by: `iou` (highest IoU with an object) or `score` (highest objectness).
        detection_rule: `best_class` (one class per RoI) or `per_class` (torchvision's rule).
        freeze_backbone: no gradients in body and FPN, BatchNorm in eval mode for good.
        rpn_pre_nms_top_n, rpn_post_nms_top_n: as in `Thresholds`, for inference.
        rpn_nms, box_score, box_nms, box_limit: as in `Thresholds`.
    """

    num_classes: int
    body: Body = "resnet50"
    first_stage: int = 1
    channels: int = 256
    hidden: int = 256
    dropout: float = 0.1
    anchor_sizes: tuple[tuple[float, ...], ...] = ((12.0, 20.0), (32.0, 48.0), (72.0, 112.0))
    aspect_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    min_size: int = 224
    max_size: int = 448
    rois_per_image: int = 2000
    positive_fraction: float = 0.25
    hard_negative_share: float = 0.25
    hard_negative_by: Literal["iou", "score"] = "iou"
    detection_rule: Literal["best_class", "per_class"] = "best_class"
    freeze_backbone: bool = False
    rpn_pre_nms_top_n: int = 1000
    rpn_post_nms_top_n: int = 1000
    rpn_nms: float = 0.7
    box_score: float = 0.05
    box_nms: float = 0.5
    box_limit: int = 100

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise ValueError(f"num_classes is {self.num_classes}; expected 2 or more (the background counts)")
        if len(self.anchor_sizes) != 3 or len({len(sizes) for sizes in self.anchor_sizes}) != 1:
            raise ValueError(
                f"anchor_sizes is {self.anchor_sizes}; expected three tuples of one length, one per level"
            )
        if self.first_stage not in (1, 2):
            raise ValueError(f"first_stage is {self.first_stage}; expected 1 or 2 (three stages must follow)")
        if self.body not in get_args(Body):
            raise ValueError(f"body is {self.body!r}; expected one of {', '.join(get_args(Body))}")
        for name in ("channels", "hidden", "min_size", "max_size", "rois_per_image"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if self.hard_negative_by not in ("iou", "score"):
            raise ValueError(f"hard_negative_by is {self.hard_negative_by!r}; expected 'iou' or 'score'")
        if self.detection_rule not in ("best_class", "per_class"):
            raise ValueError(
                f"detection_rule is {self.detection_rule!r}; expected 'best_class' or 'per_class'"
            )
        for name in ("dropout", "positive_fraction", "hard_negative_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a number from 0 to 1")

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> PyramidConfig:
        """The inverse of `to_dict`; raises ValueError on a setting that does not exist."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = set(settings) - known
        if unknown:
            raise ValueError(
                f"a pyramid detector has no setting {sorted(unknown)[0]!r}; there are {sorted(known)}"
            )
        values = dict(settings)
        if "anchor_sizes" in values:
            values["anchor_sizes"] = tuple(tuple(map(float, sizes)) for sizes in values["anchor_sizes"])
        if "aspect_ratios" in values:
            values["aspect_ratios"] = tuple(map(float, values["aspect_ratios"]))
        return cls(**values)


class PyramidDetector(FasterRCNN):
    """Three-level pyramid detector; takes and returns what torchvision's `FasterRCNN` does.

    In training mode the losses carry torchvision's names; `LOSS_NAMES` maps them to this project's.
    """

    def __init__(self, config: PyramidConfig) -> None:
        pool = MultiScaleRoIAlign(["0", "1", "2"], output_size=7, sampling_ratio=2)
        embedding = BoxEmbedding(config.channels * 7 * 7, config.hidden, config.dropout)
        predictor = AgnosticPredictor(config.hidden, config.num_classes)
        super().__init__(
            _build_backbone(config),
            min_size=config.min_size,
            max_size=config.max_size,
            rpn_anchor_generator=AnchorGenerator(config.anchor_sizes, (config.aspect_ratios,) * 3),
            rpn_pre_nms_top_n_test=config.rpn_pre_nms_top_n,
            rpn_post_nms_top_n_test=config.rpn_post_nms_top_n,
            rpn_nms_thresh=config.rpn_nms,
            box_roi_pool=pool,
            box_head=embedding,
            box_predictor=predictor,
        )
        self.config = config
        self.roi_heads = PyramidRoIHeads(
            pool,
            embedding,
            predictor,
            rois_per_image=config.rois_per_image,
            positive_fraction=config.positive_fraction,
            hard_share=config.hard_negative_share,
            hard_by=config.hard_negative_by,
            detection_rule=config.detection_rule,
            score_thresh=config.box_score,
            nms_thresh=config.box_nms,
            detections_per_img=config.box_limit,
        )
        if config.freeze_backbone:
            self.backbone.requires_grad_(False)
            self.train(self.training)

    def train(self, mode: bool = True) -> PyramidDetector:
        """Training mode as in `nn.Module`, but a frozen backbone stays in eval mode."""
        super().train(mode)
        if self.config.freeze_backbone:
            self.backbone.eval()
        return self


def build_pyramid(config: PyramidConfig, *, pretrained_body: bool = False) -> PyramidDetector:
    """A pyramid detector with random weights, or with torchvision's ImageNet weights in its body.

    Args:
        config: the architecture.
        pretrained_body: load torchvision's default weights into the ResNet body (needs network or cache).

    Raises:
        ValueError: pretrained weights asked for the `small` body, which has none, or not to be had.
    """
    model = PyramidDetector(config)
    if pretrained_body:
        if config.body == "small":
            raise ValueError(
                "the body 'small' has no pretrained weights; choose resnet18, resnet34 or resnet50"
            )
        state = fetch_weights(torchvision.models.get_model_weights(config.body)["DEFAULT"])
        body = cast("nn.Module", model.backbone.body)
        own = body.state_dict()  # all but the classifier and stages that are not used
        body.load_state_dict({name: tensor for name, tensor in state.items() if name in own})
    return model


def _build_backbone(config: PyramidConfig) -> BackboneWithFPN:
    if config.body == "small":
        resnet = ResNet(BasicBlock, [1, 1, 1, 1])
    else:
        resnet = getattr(torchvision.models, config.body)(weights=None)
    stages = range(config.first_stage, config.first_stage + 3)
    layers = {f"layer{stage}": str(index) for index, stage in enumerate(stages)}
    widths = [_out_channels(getattr(resnet, name)) for name in layers]
    backbone = BackboneWithFPN(resnet, layers, widths, config.channels)
    backbone.fpn.extra_blocks = None  # exactly three maps: BackboneWithFPN would add a pooled fourth
    return backbone


def _out_channels(stage: nn.Module) -> int:
    norms = [module for module in stage.modules() if isinstance(module, nn.BatchNorm2d)]
    return norms[-1].num_features
