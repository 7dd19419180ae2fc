"""The price of a change on the image: which detections come and go, which objects are found and lost by it.

Boxes are float [n, 4] xyxy in the **image** frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from detector.explaining.evidence_words import object_name
from viz_app.figures.palette import (
    DARK_HALO,
    DETECTION,
    FALSE_POSITIVE,
    FOUND,
    GREY,
    LIGHT_HALO,
    LOST,
    VERMILLION,
)
from viz_app.figures.picture import BoxGroup, Dash

if TYPE_CHECKING:
    from detector.explaining.price import Price
    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay


def price_groups(before: Diagnosis, after: Diagnosis, price: Price, *, known: bool = True) -> list[BoxGroup]:
    """What a change brings (solid) and takes (dotted), over the objects whose verdict it turns (dashed).

    Args:
        before, after: diagnoses of one image under both thresholds.
        price: `price_between` them.
        known: the objects of the image are known, so that true and false can be told.
    """
    come = "comes" if not known else "comes, true"
    go = "goes" if not known else "goes, true"
    new = price.came_true if known else (*price.came_true, *price.came_false)
    old = price.went_true if known else (*price.went_true, *price.went_false)
    groups = [
        _objects(before, price.found, "found by it", FOUND),
        _objects(before, price.lost, "lost by it", LOST),
        _detections(before.replay, old, go, GREY, "dot"),
        _detections(after.replay, new, come, DETECTION),
    ]
    if known:
        groups += [
            _detections(before.replay, price.went_false, "goes, false", VERMILLION, "dot"),
            _detections(after.replay, price.came_false, "comes, false", FALSE_POSITIVE),
        ]
    return [group for group in groups if len(group)]


def _objects(diagnosis: Diagnosis, members: Sequence[int], name: str, color: str) -> BoxGroup:
    labels = tuple(object_name(diagnosis, index) for index in members)
    boxes = diagnosis.truth.boxes[list(members)].reshape(-1, 4)
    return BoxGroup(boxes, name, color, dash="dash", width=2.5, halo=LIGHT_HALO, labels=labels, hover=labels)


def _detections(
    replay: Replay, members: Sequence[int], name: str, color: str, dash: Dash = "solid"
) -> BoxGroup:
    places = list(members)
    labels = tuple(
        f"{replay.trace.categories[label]} {score:.2f}"
        for label, score in zip(replay.labels[places].tolist(), replay.scores[places].tolist(), strict=True)
    )
    boxes = replay.boxes[places].reshape(-1, 4)
    return BoxGroup(boxes, name, color, dash=dash, halo=DARK_HALO, labels=labels, hover=labels)
