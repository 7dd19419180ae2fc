"""The last step of the detector in words, with an image's own numbers, for "What happens here"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detector.explaining.first_detection import strongest_slot
from detector.tracing.filters import DetectionFate, ProposalFate
from viz_app.figures.words import latex_count, plural
from viz_app.problems import literal

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay

_SOURCES = "Ren et al. 2015, *Faster R-CNN*, section 3; Girshick 2015, *Fast R-CNN*, section 2."


def outcome_words(replay: Replay) -> str:
    """The step in one sentence."""
    rois, categories = replay.class_scores.shape
    counts = replay.detections.counts()
    over = len(replay.detections) - counts[DetectionFate.LOW_SCORE] - counts[DetectionFate.OTHER_CLASS]
    winners = counts[DetectionFate.KEPT] + counts[DetectionFate.OVER_LIMIT]
    return (
        f"{rois:,} RoIs × {categories - 1} classes = {len(replay.detections):,} slots; "
        f"{over:,} pass the score; per-class NMS keeps {winners:,}"
    )


def outcome_text(replay: Replay) -> str:
    """The step in Markdown, one point for each thing it does."""
    rois, categories = replay.class_scores.shape
    counts, knobs = replay.detections.counts(), replay.thresholds
    shared = replay.class_boxes.shape[1] == 1
    boxes = "**one** box, whatever the class" if shared else f"**{categories}** boxes, one for each class"
    points = (
        f"The RPN left **{rois:,}** proposals; each became one RoI of 7 × 7 features.",
        f"The head gave each RoI **{categories}** class logits (the first is the background) and {boxes}. "
        "Softmax turns the logits into probabilities that add up to 1; boxes come as deltas on the RoI.",
        f"Every pair of RoI and class is one slot: {rois:,} × {categories - 1} = "
        f"**{len(replay.detections):,}**. {_dropped(replay, counts)}",
        f"NMS, class by class: **{counts[DetectionFate.SUPPRESSED]:,}** overlap a better slot of their class "
        f"by an IoU of more than {knobs.box_nms:g} and are suppressed.",
        f"The best {knobs.box_limit:,} stay: **{counts[DetectionFate.OVER_LIMIT]:,}** are over the limit, "
        f"and **{counts[DetectionFate.KEPT]:,}** are detections.",
    )
    return "\n".join(f"{number}. {point}" for number, point in enumerate(points, 1)) + f"\n\n{_SOURCES}"


def match_text(diagnosis: Diagnosis) -> str:
    """How detections and objects are matched, in Markdown with this image's own numbers."""
    objects, found = len(diagnosis.verdicts), len(diagnosis.verdicts) - len(diagnosis.lost)
    detections, false = len(diagnosis.replay.labels), len(diagnosis.false_detections)
    counted = found + false
    crowd = detections - counted
    ignored = f" **{crowd:,}** lie in crowd regions and count neither way." if crowd else ""
    lines = [
        "**Detections against objects.** Best score first, each detection takes the object of its category that it "
        f"overlaps most, if the IoU is at least {diagnosis.iou:g} and no better detection has it: **{found:,}** of "
        f"{plural(objects, 'object')} found, **{false:,}** of {plural(detections, 'detection')} false.{ignored}",
        "$$",
        r"\mathrm{IoU}=\frac{|A\cap B|}{|A\cup B|}\qquad"
        rf"\mathrm{{recall}}={_ratio(found, objects)}\qquad\mathrm{{precision}}={_ratio(found, counted)}",
        "$$",
        "The matching is that of COCO's evaluation.",
    ]
    return "\n".join(lines)


def _ratio(part: int, whole: int) -> str:
    """A share as a formula; of nothing there is none."""
    if whole == 0:
        return r"\text{undefined}"
    return rf"\frac{{{latex_count(part)}}}{{{latex_count(whole)}}}={part / whole:.2f}"


def no_detection_words(replay: Replay) -> str:
    """Why there is no detection: which step left nothing."""
    ranked = len(replay.proposals) - replay.proposals.counts()[ProposalFate.BELOW_TOP_N]
    if len(replay.proposals.kept) == 0:
        return (
            f"No detection: the RPN left no proposal. None of its {ranked:,} best boxes reaches "
            f"**min. objectness** {replay.thresholds.rpn_score:g}."
        )
    slot = strongest_slot(replay)
    if slot is None:
        return "No detection: the background wins every RoI, so no score threshold brings one back."
    name = replay.trace.categories[int(replay.detections.labels[slot])]
    return (
        f"No detection: no class of the {len(replay.head.boxes):,} RoIs scores over **Score** "
        f"{replay.thresholds.box_score:g}. The strongest is {literal(name)} with "
        f"{math.floor(float(replay.detections.scores[slot]) * 1000) / 1000:.3f}."
    )


def _dropped(replay: Replay, counts: dict[DetectionFate, int]) -> str:
    knobs, smallest = replay.thresholds, replay.trace.rules.box_min_size
    other = counts[DetectionFate.OTHER_CLASS]
    winner = f"**{other:,}** lost their RoI to another class or to the background, " if other else ""
    return (
        f"{winner}**{counts[DetectionFate.LOW_SCORE]:,}** have a probability of {knobs.box_score:g} or less, "
        f"**{counts[DetectionFate.TOO_SMALL]:,}** are smaller than {smallest:g} px."
    )
