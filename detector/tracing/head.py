"""What the second stage says of a RoI, decoded once, and computed on demand for RoIs nobody has asked about.

Shapes: `R` RoIs, `N` anchors, `K` categories with background, `C` channels, `D` embedding size. Boxes are xyxy
in the network frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import boxes as box_ops

from detector.tracing.looking import looking
from detector.tracing.trace import FilterRules, HeadStage, Size, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.models.detector import Detector

_UNSEEN = -1


@dataclass(frozen=True, slots=True, eq=False)
class DecodedHead:
    """The second stage's output for R RoIs, ready for the box filter.

    Args:
        stage: the raw output.
        boxes: float [R, K, 4], or [R, 1, 4] where boxes do not depend on the class; clipped.
        scores: float [R, K], class probabilities.
    """

    stage: HeadStage
    boxes: Tensor
    scores: Tensor


def decode_head(stage: HeadStage, rules: FilterRules, size: Size) -> DecodedHead:
    """Softmax, decode and clip, as the first lines of torchvision's `postprocess_detections`."""
    if len(stage.boxes) == 0:
        per_roi = stage.deltas.shape[-1] // 4
        return DecodedHead(stage, stage.boxes.new_zeros((0, per_roi, 4)), stage.class_logits.softmax(-1))
    boxes = rules.box_coder.decode(stage.deltas, [stage.boxes])
    return DecodedHead(stage, box_ops.clip_boxes_to_image(boxes, size), F.softmax(stage.class_logits, -1))


def roi_levels(pool: nn.Module, boxes: Tensor, names: list[str]) -> Tensor:
    """Pyramid level, int64 [R], that `MultiScaleRoIAlign` pools each box from.

    Args:
        pool: the model's RoI pooling, used at least once before.
        boxes: float [R, 4], network frame.
        names: names of all pyramid maps, finest first.

    Raises:
        ValueError: the maps that are pooled leave one out between them, and boxes belong to it; torchvision gives
            such boxes zeros for features, and says nothing.
    """
    pooled = [index for index, name in enumerate(names) if name in getattr(pool, "featmap_names", names)]
    mapper = getattr(pool, "map_levels", None)
    if mapper is None or len(pooled) < 2:
        return torch.full((len(boxes),), pooled[0] if pooled else 0, dtype=torch.int64, device=boxes.device)
    levels = mapper([boxes])
    if len(boxes) and int(levels.max()) >= len(pooled):
        raise ValueError(
            f"the RoI pooling reads the maps {', '.join(names[index] for index in pooled)}, which leave one out: "
            "torchvision gives RoIs of that size zeros for features; name neighbouring maps in featmap_names"
        )
    return torch.tensor(pooled, device=boxes.device)[levels]


class HeadTable:
    """The second stage's output by anchor; each anchor's RoI is looked at once.

    A proposal's box depends on its anchor alone and not on the thresholds. The rows of the capture come first
    and keep the captured bits.

    Args:
        trace: the capture.
        detector: runs the second stage for RoIs that the capture did not see; without it such a RoI is an error.
        captured: the captured rows, where somebody has decoded them already.
    """

    def __init__(self, trace: Trace, detector: Detector | None, captured: DecodedHead | None = None) -> None:
        self._trace, self._detector = trace, detector
        captured = captured or decode_head(trace.head, trace.rules, trace.input.network_size)
        self.captured = self._known = captured
        self._row_of = torch.full((len(trace.rpn.anchors),), _UNSEEN, dtype=torch.int64)
        self._remember(trace.head.anchor, 0)
        self._maps: Mapping[str, Tensor] | None = trace.backbone.pyramid if trace.backbone.exact else None

    def of(self, anchors: Tensor, boxes: Tensor) -> DecodedHead:
        """The decoded second stage for the proposals `boxes` [R, 4] of `anchors` [R], in their order.

        Raises:
            ValueError: a RoI that the capture did not see, and no detector to look at it.
        """
        unseen = (self._row_of[anchors.cpu()] == _UNSEEN).nonzero().flatten()
        if len(unseen):
            self._append(self.look(anchors[unseen], boxes[unseen]))
        rows = self._row_of[anchors.cpu()]
        captured = self._trace.head
        if len(rows) == len(captured.boxes) and torch.equal(rows, torch.arange(len(rows))):
            return self.captured
        rows = rows.to(captured.boxes.device)
        return DecodedHead(
            _select(self._known.stage, rows), self._known.boxes[rows], self._known.scores[rows]
        )

    def look(self, anchors: Tensor, boxes: Tensor) -> HeadStage:
        """Run RoIAlign, box head and predictor on `boxes` [R, 4], network frame."""
        if self._detector is None:
            raise ValueError(
                f"{len(boxes)} RoIs under these RPN thresholds were not seen by the capture; "
                "give Replayer the detector, or keep the RPN thresholds of the trace"
            )
        model, size = self._detector.model, self._trace.input.network_size
        with looking(model):
            maps = {name: value[None] for name, value in self.maps().items()}
            heads = model.roi_heads
            pooled = heads.box_roi_pool(maps, [boxes], [size])
            embedding = heads.box_head(pooled)
            logits, deltas = heads.box_predictor(embedding)
            level = roi_levels(heads.box_roi_pool, boxes, list(maps))
        return HeadStage(boxes, anchors, level, logits, deltas, embedding, pooled)

    def kept_features(self, anchors: Tensor) -> Tensor | None:
        """RoIAlign output of the RoIs of some anchors, as the capture kept it; None unless it kept them all."""
        features, rows = self._trace.head.features, self._row_of[anchors.cpu()]
        if features is None or bool(((rows < 0) | (rows >= len(features))).any()):
            return None
        return features[rows.to(features.device)]

    def maps(self) -> Mapping[str, Tensor]:
        """The pyramid maps [C, h, w] in full precision; computed again where the trace holds them halved."""
        if self._maps is None:
            assert self._detector is not None
            with looking(self._detector.model):
                found = self._detector.model.backbone(self._trace.input.tensor[None])
            found = {"0": found} if isinstance(found, Tensor) else found
            self._maps = {name: value[0] for name, value in found.items()}
        return self._maps

    def _remember(self, anchors: Tensor, start: int) -> None:
        rows = torch.arange(start, start + len(anchors))
        known = anchors.cpu() >= 0
        self._row_of[anchors.cpu()[known]] = rows[known]

    def _append(self, stage: HeadStage) -> None:
        """Add rows; pooled features are dropped, they would grow by 50 kB a RoI and are cheap to pool again."""
        start, known = len(self._known.boxes), self._known
        decoded = decode_head(stage, self._trace.rules, self._trace.input.network_size)
        self._known = DecodedHead(
            _concatenate(known.stage, stage),
            torch.cat((known.boxes, decoded.boxes)),
            torch.cat((known.scores, decoded.scores)),
        )
        self._remember(stage.anchor, start)


def _select(stage: HeadStage, rows: Tensor) -> HeadStage:
    embedding = None if stage.embedding is None else stage.embedding[rows]
    return HeadStage(
        stage.boxes[rows], stage.anchor[rows], stage.level[rows], stage.class_logits[rows], stage.deltas[rows],
        embedding,
    )  # fmt: skip


def _concatenate(first: HeadStage, second: HeadStage) -> HeadStage:
    both = (first.embedding, second.embedding)
    return HeadStage(
        torch.cat((first.boxes, second.boxes)),
        torch.cat((first.anchor, second.anchor)),
        torch.cat((first.level, second.level)),
        torch.cat((first.class_logits, second.class_logits)),
        torch.cat((first.deltas, second.deltas)),
        None if both[0] is None or both[1] is None else torch.cat((both[0], both[1])),
    )
