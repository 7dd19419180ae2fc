"""Why an object was lost, in about five words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth
    from detector.tracing.replay import Replay

_PLAIN = {
    Rung.RPN_RANK: "below the top-n of its level",
    Rung.RPN_SCORE: "under the RPN's score floor",
    Rung.RPN_NMS: "suppressed by another proposal",
    Rung.RPN_LIMIT: "over the limit of proposals",
    Rung.BOX_LIMIT: "over the detections per image",
    Rung.MATCHED_ELSEWHERE: "its detection matched another object",
    Rung.FOUND: "found",
}


def reason_for(
    rung: Rung, replay: Replay, truth: GroundTruth, index: int, *, slot: int | None, best_iou: float
) -> str:
    """A short phrase for the verdict of object `index`.

    Args:
        rung: where it was lost.
        replay: under which thresholds.
        truth: the objects.
        index: which of them.
        slot: its nearest class slot, where one has the right box.
        best_iou: its best overlap.
    """
    if rung is Rung.ANCHOR_FIT:
        return f"no anchor fits (best IoU {best_iou:.2f})"
    if rung is Rung.RPN_BOX:
        return f"RPN boxes miss it (best IoU {best_iou:.2f})"
    if rung is Rung.ROI_BOX:
        return f"refined boxes miss it (best IoU {best_iou:.2f})"
    if rung is Rung.ROI_CLASS and slot is not None:
        return _class_reason(replay, int(truth.labels[index]), slot)
    if rung is Rung.BOX_NMS and slot is not None:
        return _suppressed_reason(replay, slot)
    return _PLAIN[rung]


def _class_reason(replay: Replay, label: int, slot: int) -> str:
    scores = replay.class_scores[int(replay.roi_of(torch.tensor(slot)))]
    winner, own = int(scores.argmax()), float(scores[label])
    if winner == label:
        return f"scored {own:.3f}, under the threshold"
    name = replay.trace.categories[winner]
    return f"scored as {name} ({own:.3f})"


def _suppressed_reason(replay: Replay, slot: int) -> str:
    suppressor = int(replay.detections.suppressor_of(torch.tensor([slot]))[0])
    score = float(replay.detections.scores[suppressor])
    return f"suppressed by a detection scored {score:.2f}"
