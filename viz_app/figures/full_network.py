"""The end of the path: detections beside ground truth.

Shapes: `M` detections, `G` objects. Boxes are in the **image** frame.
"""

from __future__ import annotations

from collections.abc import Collection

import plotly.graph_objects as go
from torch import Tensor

from detector.data.ground_truth import GroundTruth
from detector.tracing.replay import Replay
from viz_app.figures.palette import (
    DARK_HALO,
    DETECTION,
    FALSE_POSITIVE,
    GROUND_TRUTH,
    LIGHT_HALO,
    LOST,
    SELECTED,
)
from viz_app.figures.picture import BoxGroup, picture
from viz_app.figures.words import size_words
from viz_app.links import Selected


def overview_groups(
    replay: Replay, *, lost: Collection[int] = (), false: Collection[int] = ()
) -> list[BoxGroup]:
    """Ground truth dashed white (lost objects red), detections blue (false positives orange).

    Args:
        replay: the detections, and the trace with the ground truth, if it is known.
        lost: indices of the objects that were not found.
        false: indices, among the kept detections, of those that match no object.
    """
    truth = replay.trace.ground_truth
    groups = [] if truth is None else _object_groups(truth, replay.trace.categories, set(lost))
    detections = range(len(replay.labels))
    true = [index for index in detections if index not in set(false)]
    groups.append(_detection_group(replay, true, "detections", DETECTION))
    groups.append(_detection_group(replay, sorted(false), "false positives", FALSE_POSITIVE))
    return [group for group in groups if len(group)]


def overview_picture(
    replay: Replay,
    *,
    lost: Collection[int] = (),
    false: Collection[int] = (),
    selected: Tensor | None = None,
    height: int | None = None,
) -> go.Figure:
    """The image with `overview_groups`.

    Args:
        replay, lost, false: as in `overview_groups`.
        selected: float [4], one box to point out, or None.
        height: in screen pixels; fits the image by default.
    """
    groups = overview_groups(replay, lost=lost, false=false)
    if selected is not None:
        groups.append(BoxGroup(selected[None], "selected", SELECTED, counted=False, width=4, halo=LIGHT_HALO))
    return picture(replay.trace.input.pixels, groups, height=height)


def _object_groups(truth: GroundTruth, categories: tuple[str, ...], lost: set[int]) -> list[BoxGroup]:
    names = [f"#{index} {categories[int(label)]}" for index, label in enumerate(truth.labels)]
    groups = []
    for name, color, members in (
        ("ground truth", GROUND_TRUTH, [index for index in range(len(truth)) if index not in lost]),
        ("lost", LOST, sorted(lost)),
    ):
        boxes = truth.boxes[members]
        hover = tuple(
            f"{name}: {names[index]}<br>{size_words(truth.boxes[index])} px, image frame" for index in members
        )
        missed = name == "lost"
        groups.append(
            BoxGroup(
                boxes, name, color, dash="dash", width=2.5 if missed else 1.75,
                halo=LIGHT_HALO if missed else DARK_HALO, hover=hover,
                labels=tuple(f"lost: {names[index]}" for index in members) if missed else (),
                items=tuple(Selected("object", index) for index in members),
            )
        )  # fmt: skip
    return groups


def _detection_group(replay: Replay, members: list[int], name: str, color: str) -> BoxGroup:
    boxes, labels, scores = replay.boxes[members], replay.labels[members], replay.scores[members]
    words = [replay.trace.categories[label] for label in labels.tolist()]
    tags = tuple(f"{word} {score:.2f}" for word, score in zip(words, scores.tolist(), strict=True))
    hover = tuple(
        f"detection {index}: {tag}<br>{size_words(box)} px, image frame"
        for index, tag, box in zip(members, tags, boxes, strict=True)
    )
    items = detection_items(replay)
    return BoxGroup(
        boxes, name, color, hover=hover, labels=tags, items=tuple(items[index] for index in members)
    )


def detection_items(replay: Replay) -> list[Selected | None]:
    """What selects each of the M detections; None for one whose RoI came of no anchor."""
    anchors = replay.head.anchor[replay.rois].tolist()
    labels = replay.labels.tolist()
    return [
        Selected("detection", anchor, label) if anchor >= 0 else None
        for anchor, label in zip(anchors, labels, strict=True)
    ]
