"""What would help an object where no threshold does, in sentences with this image's own numbers.

Anchors and input sizes are worked out; what training would have to change is said, and cannot be verified here.
Sizes are (height, width) in px of the **network** frame, and said as width × height; IoUs are of the image frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.explaining.anchor_advice import LARGEST_FACTOR, wanted_anchor, wanted_input
from detector.explaining.evidence import (
    ClassEvidence,
    DecodedEvidence,
    FitEvidence,
    FloorEvidence,
    MatchEvidence,
    RankEvidence,
    RefinedEvidence,
    SuppressionEvidence,
)
from detector.explaining.evidence_words import object_category, object_name
from detector.explaining.matching import inclusive, iou_of
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replayer

Sentences = tuple[str, ...]
# An objectness that training need not raise.
_SURE = 0.5


def advice_for(_replayer: Replayer, diagnosis: Diagnosis, verdict: Verdict) -> Sentences:
    """What beside a threshold would help an object: anchors, input size, training; nothing for a found one.

    Args:
        diagnosis: under the present thresholds.
        verdict: one of it.
    """
    match verdict.evidence:
        case FitEvidence() as fit:
            return _fit(diagnosis, verdict, fit)
        case DecodedEvidence() as decoded:
            return (
                f"The anchor is right (IoU {decoded.anchor_iou:.2f}) and the RPN's deltas are not (IoU "
                f"{decoded.decoded_iou:.2f}): no threshold undoes that. Train the RPN's box regression with more "
                f"objects like this one, {_size_words(diagnosis, verdict)}.",
            )
        case RankEvidence() as rank:
            return _rank(diagnosis, verdict, rank)
        case FloorEvidence() as floor:
            return _floor(diagnosis, verdict, floor)
        case SuppressionEvidence() as suppression:
            return _suppression(diagnosis, verdict, suppression)
        case RefinedEvidence() as refined:
            return _refined(diagnosis, verdict, refined)
        case ClassEvidence() as scored:
            return _class(diagnosis, verdict, scored)
        case MatchEvidence() as match:
            return (
                _two_objects(
                    diagnosis, verdict, match.object, "One box fits both, and counts for one of them."
                ),
            )
        case None:
            return ()


def _fit(diagnosis: Diagnosis, verdict: Verdict, fit: FitEvidence) -> Sentences:
    box = _network_box(diagnosis, verdict)
    anchor = wanted_anchor(diagnosis.replay, box)
    if fit.misfit == "between cells":
        return (
            f"An anchor shape fits (IoU {fit.shape_iou:.2f} if it were centred on the object), but the nearest "
            f"reaches {fit.iou:.2f}: the cells lie too far apart. A finer pyramid level, or a larger input, brings "
            "one nearer.",
        )
    enough = anchor.iou >= inclusive(diagnosis.iou)
    last = "The RPN has to be trained with it." if enough else "The cells, too, lie too far apart for it."
    first = (
        f"An anchor of size {anchor.size:.0f} px and ratio {anchor.ratio:.2f} (height / width) on level "
        f"{anchor.level} would overlap it by IoU {anchor.iou:.2f}; the present ones reach {fit.iou:.2f}. {last}"
    )
    wanted = wanted_input(diagnosis.replay, box, diagnosis.iou)
    if wanted is None and fit.misfit == "elongated":
        return (first, "No input size helps: the object is too elongated for the present ratios.")
    if wanted is None:
        return (
            first,
            f"No input up to {LARGEST_FACTOR} times as large or as small makes a present shape fit.",
        )
    short = min(diagnosis.replay.trace.input.network_size)
    height, width = wanted.object_size
    return (
        first,
        f"Or an input {wanted.factor:.2g} times as large (shorter side {short * wanted.factor:.0f} instead of "
        f"{short} px): the object would be {width:.0f} × {height:.0f} px, and the nearest anchor shape, centred on "
        f"it, would reach IoU {wanted.iou:.2f}.",
    )


def _rank(diagnosis: Diagnosis, verdict: Verdict, rank: RankEvidence) -> Sentences:
    if verdict.rung is Rung.BOX_LIMIT or rank.score >= _SURE:
        return ()  # the limit alone is in the way
    return (
        f"For good, the RPN has to learn that this is an object: its objectness is {rank.score:.2g}, the last one "
        f"that passes has {rank.score_at_cut:.2g}. Train with more objects like it, "
        f"{_size_words(diagnosis, verdict)}.",
    )


def _floor(diagnosis: Diagnosis, verdict: Verdict, floor: FloorEvidence) -> Sentences:
    if floor.cause == "score" and floor.score >= _SURE:
        return ()  # the floor alone is in the way
    if floor.cause == "score":
        return (
            f"For good, the RPN has to learn that this is an object: objectness {floor.score:.2g} where "
            f"{floor.floor:g} is asked for. Train with more objects like it, {_size_words(diagnosis, verdict)}.",
        )
    factor = floor.smallest / floor.side if floor.side > 0 else float("inf")
    larger = f" An input {factor:.2g} times as large would do." if factor < float("inf") else ""
    return (f"The box is {floor.side:.2g} px wide or high, and no threshold lets it pass.{larger}",)


def _suppression(diagnosis: Diagnosis, verdict: Verdict, one: SuppressionEvidence) -> Sentences:
    if one.culprit == "other object" and one.object is not None:
        return (
            _two_objects(
                diagnosis, verdict, one.object, "Greedy NMS takes one for a second box of the other."
            ),
        )
    if one.culprit == "same object":
        return (
            f"A poorer box of the same object (IoU {one.object_iou:.2f}) scored {one.suppressor_score:.2g}, the "
            f"one that fits {one.score:.2g}: scores that follow the quality of the box would keep the better "
            "one. That is a matter of training.",
        )
    return (
        f"What suppressed it shows the background with a score of {one.suppressor_score:.2g}: train with more "
        "negatives that look like it.",
    )


def _refined(diagnosis: Diagnosis, verdict: Verdict, refined: RefinedEvidence) -> Sentences:
    name = object_category(diagnosis, verdict)
    return (
        f"The proposal fits (IoU {refined.proposal_iou:.2f}) and the second stage's box does not (IoU "
        f"{refined.refined_iou:.2f}): no threshold undoes that. Train the box regression with more {name} objects "
        f"like this one, {_size_words(diagnosis, verdict)}, and look whether their boxes are annotated tightly.",
    )


def _class(diagnosis: Diagnosis, verdict: Verdict, scored: ClassEvidence) -> Sentences:
    name, trace = object_category(diagnosis, verdict), diagnosis.replay.trace
    winner = trace.categories[scored.winner]
    if scored.cause == "size":
        return ("The box of the second stage has next to no size; no threshold lets it pass.",)
    if scored.cause == "threshold":
        return (
            f"The class is right; with more {name} objects like this one in training its score would rise.",
        )
    rule = ()
    if trace.rules.detection_rule == "best_class":
        passes = (
            "would pass" if scored.score > scored.threshold else f"would have to exceed {scored.threshold:g}"
        )
        rule = (
            f"This model keeps only the winner of each RoI, so no score threshold helps; if every class competed, "
            f"as in torchvision, {name} with {scored.score:.2g} {passes}.",
        )
    lesson = (
        f"more {name} objects like this one"
        if scored.cause == "background"
        else f"more examples that tell {name} from {winner}"
    )
    return (
        *rule,
        f"The classifier prefers {winner} by {scored.margin:.2f} ({scored.winner_score:.2f} against "
        f"{scored.score:.2g}): train with {lesson}. It is {_size_words(diagnosis, verdict)}.",
    )


def _two_objects(diagnosis: Diagnosis, verdict: Verdict, other: int, why: str) -> str:
    truth = diagnosis.truth
    between = float(iou_of(truth.boxes[verdict.object], truth.boxes[other]))
    rpn, thresholds = verdict.rung is Rung.RPN_NMS, diagnosis.replay.thresholds
    bound = thresholds.rpn_nms if rpn else thresholds.box_nms
    close = "no more than" if between <= bound else "more than"
    return (
        f"It and {object_name(diagnosis, other)} overlap by IoU {between:.2f}, {close} the {bound:g} that "
        f"{'the RPN' if rpn else 'box NMS'} allows. "
        f"{why} Only a separate box for each, a matter of training, keeps both for sure."
    )


def _network_box(diagnosis: Diagnosis, verdict: Verdict) -> Tensor:
    with torch.no_grad():
        return diagnosis.replay.trace.to_network(diagnosis.truth.boxes[verdict.object])


def _size_words(diagnosis: Diagnosis, verdict: Verdict) -> str:
    x1, y1, x2, y2 = _network_box(diagnosis, verdict).tolist()
    return f"{x2 - x1:.0f} × {y2 - y1:.0f} px in the network's input"
