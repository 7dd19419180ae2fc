"""How far the stages agree on a detection that no annotation accounts for: is a label missing?

A detection that covers no object, touches none of its category and lies in no crowd region is a *likely missing
label* when everything that saw the place says the same:

1. the class wins clearly: its score is at least `SCORE`, which leaves a tenth for all others together;
2. several RoIs, each of an anchor of its own, end in the same box: at least `ROIS` refined boxes of the class
   with an IoU of at least `SAME_BOX` with the detection, each scored over `WINS`;
3. few disagree: of all RoIs that lie on the place before their refinement (IoU of at least `ON_IT`), at least
   the share `SHARE` scores the class over `WINS`;
4. the RPN, which knows no classes, saw an object, too: one of the RoIs of 2 has an objectness of at least
   `OBJECTNESS`.

A detector that is wrong by accident is mostly wrong with one RoI; one that sees a thing is right with many.

Measured with the bundled detector, 150 scenes of the shapes world, each annotation taken away in turn (seed 1001,
on which the numbers were chosen / seed 2002, which chose nothing). Of the 781 / 758 objects that were found, 573 /
562 (73% / 74%) turn up as a likely missing label; most of the rest lie on an annotated object or touch one of
their category. With one annotation of each scene missing, 83% / 85% of what is called a missing label is one. The
false alarms, 21 / 19 in 150 scenes that miss nothing, are mostly blobs that look like circles. The score alone
would raise 33 / 24, so it does most of the work on this detector. Asking for no overlap at all (IoU under 0.1
with everything) finds 41% / 41% and is right as often: 85% / 85%.

Shapes: `F` detections, `R` RoIs, `K` categories with background. Overlaps are taken in the image frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision.ops import box_iou

if TYPE_CHECKING:
    from detector.tracing.replay import Replay

SCORE = 0.9
ROIS = 3
SHARE = 0.5
OBJECTNESS = 0.9
SAME_BOX = 0.7
ON_IT = 0.5
WINS = 0.5


@dataclass(frozen=True, slots=True)
class Agreement:
    """What speaks for a detection.

    Args:
        score: of its class.
        rois: RoIs whose refined box of the class is the same box, and whose class it is, too.
        places: RoIs that lie on it before their refinement.
        share: of these, how many score the class over `WINS`, 0 to 1.
        objectness: highest objectness among `rois`, a probability; None where no anchor is known.
    """

    score: float
    rois: int
    places: int
    share: float
    objectness: float | None


def agreements(replay: Replay, detections: Sequence[int]) -> tuple[Agreement, ...]:
    """How far the stages agree on some detections, given by their place among the kept ones."""
    if not detections:
        return ()
    chosen = torch.as_tensor(detections, device=replay.boxes.device)
    boxes, labels = replay.boxes[chosen].float(), replay.labels[chosen]
    on_it = box_iou(boxes, replay.trace.to_image(replay.head.boxes).float()) >= ON_IT
    wins = replay.class_scores[:, labels].T > WINS
    agreeing = wins & (_refined_overlap(replay, boxes, labels) >= SAME_BOX)
    objectness = _objectness(replay).expand_as(agreeing).masked_fill(~agreeing, -1.0).amax(dim=1)
    share = (on_it & wins).sum(dim=1) / on_it.sum(dim=1).clamp(min=1)
    columns = (replay.scores[chosen], agreeing.sum(dim=1), on_it.sum(dim=1), share, objectness)
    return tuple(
        Agreement(score, rois, places, part, None if best < 0 else best)
        for score, rois, places, part, best in zip(*(column.tolist() for column in columns), strict=True)
    )


def is_missing_label(agreement: Agreement) -> bool:
    """Whether all four conditions hold; False where the RoIs' anchors are not known (a training step, say)."""
    return (
        agreement.score >= SCORE
        and agreement.rois >= ROIS
        and agreement.share >= SHARE
        and agreement.objectness is not None
        and agreement.objectness >= OBJECTNESS
    )


def _refined_overlap(replay: Replay, boxes: Tensor, labels: Tensor) -> Tensor:
    """IoU, float [F, R], of each detection with the refined boxes of its own class."""
    per_class = replay.class_boxes.shape[1] > 1
    refined = replay.class_boxes[:, labels if per_class else torch.zeros_like(labels)]
    refined = replay.trace.to_image(refined).float().transpose(0, 1)
    mine = boxes[:, None]
    inner = (
        torch.minimum(refined[..., 2:], mine[..., 2:]) - torch.maximum(refined[..., :2], mine[..., :2])
    ).clamp(min=0).prod(dim=-1)  # fmt: skip
    areas = [(one[..., 2:] - one[..., :2]).prod(dim=-1) for one in (refined, mine)]
    return inner / (areas[0] + areas[1] - inner).clamp(min=1e-9)


def _objectness(replay: Replay) -> Tensor:
    """Objectness probability of the anchor of each RoI, float [R]; -1 where it is not known."""
    anchors = replay.head.anchor
    known = replay.proposals.scores[anchors.clamp(min=0)]
    return torch.where(anchors >= 0, known, torch.full_like(known, -1.0)).float()
