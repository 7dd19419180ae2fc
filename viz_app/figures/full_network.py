"""The end of the path: detections beside ground truth, and which of them match.

Shapes: `M` detections, `G` objects. Boxes are in the **image** frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.explaining.matching import overlaps
from viz_app.figures.palette import (
    DARK_HALO,
    DETECTION,
    FALSE_POSITIVE,
    GREY,
    GROUND_TRUTH,
    LIGHT_HALO,
    LOST,
)
from viz_app.figures.picture import BoxGroup, Dash, picture
from viz_app.figures.words import size_words
from viz_app.links import Selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay


def overview_groups(replay: Replay, diagnosis: Diagnosis | None = None) -> list[BoxGroup]:
    """Ground truth dashed white (lost objects red, crowds dotted grey), detections blue (false ones orange).

    Args:
        replay: the detections, and the trace with the ground truth, if it is known.
        diagnosis: of this replay: which objects are lost, which detections match which.
    """
    groups = _object_groups(replay, diagnosis)
    false = set() if diagnosis is None else set(diagnosis.false_detections)
    words = _match_words(replay, diagnosis)
    everything = range(len(replay.labels))
    true = [index for index in everything if index not in false]
    groups.append(_detection_group(replay, true, words, "detections", DETECTION))
    groups.append(_detection_group(replay, sorted(false), words, "false positives", FALSE_POSITIVE))
    return [group for group in groups if len(group)]


def overview_picture(
    replay: Replay, diagnosis: Diagnosis | None = None, *, height: int | None = None
) -> go.Figure:
    """The image with `overview_groups`; `height` in screen pixels fits the image by default."""
    return picture(replay.trace.input.pixels, overview_groups(replay, diagnosis), height=height)


def match_ious(diagnosis: Diagnosis) -> list[float | None]:
    """IoU of each of the M detections with the object that it matches, image frame; None where it matches none."""
    quality = overlaps(diagnosis.replay.boxes, diagnosis.truth).cpu()
    return [
        None if index < 0 else float(quality[detection, index])
        for detection, index in enumerate(diagnosis.matches.object_of.tolist())
    ]


def _match_words(replay: Replay, diagnosis: Diagnosis | None) -> list[str]:
    """What each detection matches, for the pointer; nothing without ground truth."""
    if diagnosis is None:
        return [""] * len(replay.labels)
    crowd = diagnosis.truth.crowd.tolist()
    said = []
    for index, iou in zip(diagnosis.matches.object_of.tolist(), match_ious(diagnosis), strict=True):
        if iou is None:
            said.append("<br>false positive: matches no object")
        elif crowd[index]:
            said.append(f"<br>in the crowd region #{index}: not counted")
        else:
            said.append(f"<br>matches object #{index}, IoU {iou:.2f}")
    return said


def _object_groups(replay: Replay, diagnosis: Diagnosis | None) -> list[BoxGroup]:
    truth = replay.trace.ground_truth
    if truth is None:
        return []
    lost = set() if diagnosis is None else {verdict.object for verdict in diagnosis.lost}
    crowd = set(truth.crowd.nonzero().flatten().tolist())
    found = [index for index in range(len(truth)) if index not in lost | crowd]
    return [
        _object_group(replay, sorted(crowd), "crowd region", GREY, dash="dot", halo=LIGHT_HALO),
        _object_group(replay, found, "ground truth", GROUND_TRUTH, dash="dash", halo=DARK_HALO),
        _object_group(replay, sorted(lost), "lost", LOST, dash="dash", halo=LIGHT_HALO, width=2.5),
    ]


def _object_group(
    replay: Replay,
    members: Sequence[int],
    name: str,
    color: str,
    *,
    dash: Dash,
    halo: str,
    width: float = 1.75,
) -> BoxGroup:
    truth = replay.trace.ground_truth
    assert truth is not None
    names = [f"#{index} {replay.trace.categories[int(truth.labels[index])]}" for index in members]
    boxes = truth.boxes[list(members)]
    hover = tuple(
        f"{name}: {named}<br>{size_words(box)} px, image frame"
        for named, box in zip(names, boxes, strict=True)
    )
    # A crowd region has no verdict, so nothing is to be told about it.
    items = [None if truth.crowd[index] else Selected("object", index) for index in members]
    return BoxGroup(
        boxes, name, color, dash=dash, width=width, halo=halo, hover=hover,
        labels=tuple(f"lost: {named}" for named in names) if name == "lost" else (), items=tuple(items),
    )  # fmt: skip


def _detection_group(
    replay: Replay, members: Sequence[int], words: Sequence[str], name: str, color: str
) -> BoxGroup:
    chosen = list(members)
    boxes, labels, scores = replay.boxes[chosen], replay.labels[chosen], replay.scores[chosen]
    categories = [replay.trace.categories[label] for label in labels.tolist()]
    tags = tuple(f"{word} {score:.2f}" for word, score in zip(categories, scores.tolist(), strict=True))
    hover = tuple(
        f"detection {index}: {tag}<br>{size_words(box)} px, image frame{words[index]}"
        for index, tag, box in zip(chosen, tags, boxes, strict=True)
    )
    items = detection_items(replay)
    return BoxGroup(
        boxes, name, color, hover=hover, labels=tags, items=tuple(items[index] for index in chosen)
    )


def detection_items(replay: Replay) -> list[Selected | None]:
    """What selects each of the M detections; None for one whose RoI came of no anchor."""
    anchors = replay.head.anchor[replay.rois].tolist()
    labels = replay.labels.tolist()
    return [
        Selected("detection", anchor, label) if anchor >= 0 else None
        for anchor, label in zip(anchors, labels, strict=True)
    ]
