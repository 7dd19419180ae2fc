"""RoIs and class slots as things that can be selected, and back.

A RoI is selected as the anchor it came of, a class slot as a detection of that anchor: both numbers mean the
same under all thresholds. Shapes: `R` RoIs, `K` categories with background.
"""

from __future__ import annotations

import torch
from torch import Tensor

from detector.tracing.replay import Replay
from viz_app.figures.fast_rcnn import best_classes
from viz_app.links import Selected


def roi_items(replay: Replay, rois: Tensor) -> tuple[Selected | None, ...]:
    """What selects each of these RoIs, int64 [n]; None for one that came of no anchor."""
    anchors = replay.head.anchor[rois].tolist()
    return tuple(Selected("anchor", anchor) if anchor >= 0 else None for anchor in anchors)


def slot_items(replay: Replay, slots: Tensor) -> tuple[Selected | None, ...]:
    """What selects each of these class slots, int64 [n]; None for one whose RoI came of no anchor."""
    anchors = replay.head.anchor[replay.roi_of(slots)].tolist()
    labels = replay.detections.labels[slots].tolist()
    return tuple(
        Selected("detection", anchor, label) if anchor >= 0 else None
        for anchor, label in zip(anchors, labels, strict=True)
    )


def selected_roi(replay: Replay, selected: Selected | None) -> int | None:
    """The RoI that is selected, itself or by one of its detections; None where it is not among these RoIs."""
    if selected is None or selected.anchor is None:
        return None
    found = (replay.head.anchor == selected.anchor).nonzero().flatten()
    return int(found[0]) if len(found) else None


def selected_slot(replay: Replay, selected: Selected | None) -> int | None:
    """The class slot that is selected; of a selected anchor that of its RoI's most probable category."""
    roi = selected_roi(replay, selected)
    if roi is None or selected is None or replay.class_scores.shape[1] < 2:
        return None
    label = selected.label or int(best_classes(replay)[0][roi])
    if not 1 <= label < replay.class_scores.shape[1]:
        return None
    return int(replay.slot_of(torch.tensor(roi), torch.tensor(label)))
