"""The second stage's numbers as tables, one row for each RoI, class or fate.

Shapes: `R` RoIs, `K` categories with background. Sizes are in pixels of the **image** frame unless a column
says otherwise.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.tracing.filters import DetectionFate
from detector.tracing.replay import Replay
from viz_app.figures.fast_rcnn import best_classes, class_deltas, refined_box, slot_fate_words
from viz_app.figures.palette import fate_words
from viz_app.figures.words import size_words

FATE_MEANINGS = {
    DetectionFate.KEPT: "a detection",
    DetectionFate.OTHER_CLASS: "another class or background won its RoI",
    DetectionFate.LOW_SCORE: "probability not over the score threshold",
    DetectionFate.TOO_SMALL: "refined box thinner than the least side",
    DetectionFate.SUPPRESSED: "overlaps a better box of its class",
    DetectionFate.OVER_LIMIT: "past the number of detections per image",
}


def roi_order(replay: Replay) -> Tensor:
    """RoI indices, int64 [R], the most probable category first; the background does not count."""
    return best_classes(replay)[1].argsort(descending=True, stable=True)


def roi_table(replay: Replay, rois: Tensor) -> pd.DataFrame:
    """One row for each RoI: best category, its probability and fate, level, best IoU, size, background."""
    trace = replay.trace
    labels, scores = best_classes(replay)
    labels, scores = labels[rois], scores[rois]
    fates = replay.detections.fate[replay.slot_of(rois, labels)].tolist()
    boxes = trace.to_image(replay.head.boxes[rois])
    columns = {
        "RoI": rois.cpu().numpy(),
        "category": [trace.categories[label] for label in labels.tolist()],
        "probability": scores.float().cpu().numpy(),
        "fate": [fate_words(DetectionFate(code)) for code in fates],
        "level": replay.head.level[rois].cpu().numpy(),
    }
    truth = trace.ground_truth
    if truth is not None and len(truth) and len(rois):
        columns["best IoU"] = box_iou(boxes.float(), truth.boxes.to(boxes)).amax(dim=1).cpu().numpy()
    columns["size, px"] = [size_words(box) for box in boxes]
    columns["background"] = replay.class_scores[rois, 0].float().cpu().numpy()
    return pd.DataFrame(columns)


def refinement_table(replay: Replay, roi: int, label: int) -> pd.DataFrame:
    """One RoI before and after its deltas: centre, size and the deltas themselves; px, **image** frame."""
    before = replay.trace.to_image(replay.head.boxes[roi])
    after = refined_box(replay, roi, label)
    deltas = class_deltas(replay, roi, label).tolist()
    weights = replay.trace.rules.box_weights
    rows = [
        ("before, px", _centred(before)),
        ("after, px", _centred(after)),
        ("change, px", [b - a for a, b in zip(_centred(before), _centred(after), strict=True)]),
        ("head's output", deltas),
        ("÷ coder weights", [value / weight for value, weight in zip(deltas, weights, strict=True)]),
    ]
    names = ("centre x", "centre y", "width", "height")
    return pd.DataFrame([{"": name, **dict(zip(names, values, strict=True))} for name, values in rows])


def class_table(replay: Replay, roi: int, labels: Tensor) -> pd.DataFrame:
    """One row for each of n categories of a RoI: logit, probability, fate of the slot, the head's deltas.

    Deltas are times the box coder's weights, as the head gives them; the background's do not count, and where
    they do not depend on the category they are left out.
    """
    rows = []
    per_class = replay.class_boxes.shape[1] > 1
    for label in labels.tolist():
        slot = int(replay.slot_of(labels.new_tensor(roi), labels.new_tensor(max(label, 1))))
        row = {
            "category": replay.trace.categories[label],
            "logit": float(replay.head.class_logits[roi, label]),
            "probability": float(replay.class_scores[roi, label]),
            "fate": slot_fate_words(replay, slot) if label else "",
        }
        if per_class:
            deltas = class_deltas(replay, roi, label).tolist() if label else [None] * 4
            row |= dict(zip(("dx", "dy", "dw", "dh"), deltas, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def slot_ledger_table(replay: Replay) -> pd.DataFrame:
    """One row for each fate a class slot can meet under the detector's rule: how many met it, and why."""
    counts = replay.detections.counts()
    if replay.trace.rules.detection_rule != "best_class":
        counts.pop(DetectionFate.OTHER_CLASS)
    return pd.DataFrame(
        [
            {"fate": fate_words(fate), "slots": count, "because": FATE_MEANINGS[fate]}
            for fate, count in counts.items()
        ]
    )


def best_iou(replay: Replay, box: Tensor) -> tuple[int, float] | None:
    """The object that one box [4] (image frame) covers best, and the IoU; None without objects."""
    truth = replay.trace.ground_truth
    if truth is None or len(truth) == 0:
        return None
    overlaps = box_iou(box[None].float(), truth.boxes.to(box).float())[0]
    best = int(torch.argmax(overlaps))
    return best, float(overlaps[best])


def _centred(box: Tensor) -> list[float]:
    x1, y1, x2, y2 = box.tolist()
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
