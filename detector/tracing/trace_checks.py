"""Whether the parts of a trace that was read from a file belong together: whoever wrote the checksum may have lied.

Shapes: `N` anchors, `L` levels, `R` RoIs, `K` categories with background, `M` detections.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.tracing.replay import Replayer
from detector.tracing.thresholds import Thresholds
from detector.tracing.trace import FilterRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.tracing.trace import Trace

_ANY = -1
Shape = tuple[int, ...]


def check_parts(trace: Trace) -> None:
    """Refuse a trace whose tensors have other shapes or types than its own sizes ask for, or point nowhere.

    Raises:
        ValueError: names the first part at fault; the sentence goes on from the name of the file.
    """
    _check_records(trace)
    _check_words(trace)
    for name, tensor, shape, is_float in _parts(trace):
        _check_part(name, tensor, shape, is_float=is_float)
    if not torch.isfinite(trace.rpn.anchors).all():
        raise ValueError("its rpn.anchors hold NaN or infinite values, as no model makes them")
    anchors, rois, classes = len(trace.rpn.anchors), len(trace.head.boxes), len(trace.categories)
    _check_range(
        "head.anchor", trace.head.anchor, -1, anchors, f"an anchor that is not among the {anchors:,}"
    )
    _check_range("head.level", trace.head.level, 0, len(trace.rpn.grid), "a level that there is not")
    _check_range("detections.roi", trace.detections.roi, -1, rois, f"a RoI that is not among the {rois:,}")
    category = f"a category that is not among the {classes}"
    _check_range("detections.labels", trace.detections.labels, 1, classes, category)
    if trace.ground_truth is not None:
        _check_range("ground truth", trace.ground_truth.labels, 1, classes, category)
    _check_replay(trace)


def _check_replay(trace: Trace) -> None:
    """The shortest proof that all of it belongs together."""
    try:
        Replayer(trace).replay()
    except ValueError:  # of mixed precision: told where it matters
        return
    except RuntimeError as error:
        raise ValueError(f"its tensors do not belong together ({' '.join(str(error).split())})") from error


def _check_records(trace: Trace) -> None:
    for value, kind in ((trace.rules, FilterRules), (trace.thresholds, Thresholds)):
        if not isinstance(value, kind):
            raise ValueError(f"it has no {kind.__name__}")
    rules = trace.rules
    numbers = (
        *rules.rpn_weights,
        *rules.box_weights,
        rules.delta_clip,
        rules.rpn_min_size,
        rules.box_min_size,
    )
    if not all(isinstance(number, float) and math.isfinite(number) for number in numbers):
        raise ValueError("the rules of its filters are not numbers")
    if len(rules.rpn_weights) != 4 or len(rules.box_weights) != 4:
        raise ValueError("the weights of its box coders are not four numbers")


def _check_words(trace: Trace) -> None:
    texts = (trace.input.name, trace.detector, trace.mode, *trace.categories)
    if not all(isinstance(text, str) for text in texts) or len(trace.categories) < 2:
        raise ValueError("its names are not text, or too few")
    sides = (
        *trace.input.image_size,
        *trace.input.network_size,
        *(n for level in trace.rpn.grid for n in level),
    )
    if not all(type(side) is int and side > 0 for side in sides):
        raise ValueError("its sizes are not whole numbers of 1 or more")


def _parts(trace: Trace) -> Iterator[tuple[str, Tensor, Shape, bool]]:
    """(name, tensor, shape, whether of floating point); `_ANY` stands for any length."""
    anchors, rois, classes = sum(trace.rpn.per_level), len(trace.head.boxes), len(trace.categories)
    found, head, rpn = trace.detections, trace.head, trace.rpn
    yield "input.pixels", trace.input.pixels, (3, *trace.input.image_size), False
    # A slim trace, as trainings keep them, is without this tensor: no plane, but its height and width.
    yield "input.tensor", trace.input.tensor, (3 if len(trace.input.tensor) else 0, _ANY, _ANY), True
    yield "rpn.anchors", rpn.anchors, (anchors, 4), True
    yield "rpn.objectness", rpn.objectness, (anchors,), True
    yield "rpn.deltas", rpn.deltas, (anchors, 4), True
    yield "head.boxes", head.boxes, (rois, 4), True
    yield "head.anchor", head.anchor, (rois,), False
    yield "head.level", head.level, (rois,), False
    yield "head.class_logits", head.class_logits, (rois, classes), True
    yield "head.deltas", head.deltas, (rois, 4 if head.deltas.shape[-1] == 4 else 4 * classes), True
    yield "detections.boxes", found.boxes, (len(found), 4), True
    yield "detections.scores", found.scores, (len(found),), True
    yield "detections.labels", found.labels, (len(found),), False
    yield "detections.roi", found.roi, (len(found),), False
    if head.embedding is not None:
        yield "head.embedding", head.embedding, (rois, _ANY), True
    if head.features is not None:
        yield "head.features", head.features, (rois, _ANY, _ANY, _ANY), True
    for name, maps in (("body", trace.backbone.body), ("pyramid", trace.backbone.pyramid)):
        for key, value in maps.items():
            yield f"backbone.{name}/{key}", value, (_ANY, _ANY, _ANY), True


def _check_part(name: str, tensor: Tensor, shape: Shape, *, is_float: bool) -> None:
    if not isinstance(tensor, Tensor):
        raise ValueError(f"its {name} is not a tensor")
    found = tuple(tensor.shape)
    if len(found) != len(shape) or any(
        one not in (_ANY, length) for one, length in zip(shape, found, strict=True)
    ):
        asked = tuple("any" if one == _ANY else one for one in shape)
        raise ValueError(f"its {name} has shape {found}; expected {asked}".replace("'any'", "any"))
    if tensor.is_floating_point() != is_float:
        raise ValueError(f"its {name} is of the type {tensor.dtype}")


def _check_range(name: str, values: Tensor, lowest: int, end: int, what: str) -> None:
    if len(values) and not lowest <= int(values.min()) <= int(values.max()) < end:
        raise ValueError(f"its {name} names {what}")
