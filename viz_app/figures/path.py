"""The whole path of one image on one line: small pictures of what it is at each stage, with counts and shapes.

Boxes are in the **image** frame; a thumbnail is uint8 RGB [h, w, 3].
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from detector.tracing.filters import DetectionFate
from viz_app.figures.feature_maps import colorize, reduce_channels
from viz_app.figures.full_network import overview_groups
from viz_app.figures.palette import ACCENT, SKY
from viz_app.figures.picture import BoxGroup
from viz_app.figures.raster import draw_picture
from viz_app.figures.rpn import objectness_overlay
from viz_app.figures.strip import Stage
from viz_app.figures.words import plural, shape_words

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay
    from detector.tracing.trace import BackboneStage, RpnStage, Trace

SIDE = 280
"""Longer side of a thumbnail at most, px; images are enlarged by whole factors."""

_MOST_BOXES = 60


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One stage of the path.

    Args:
        title: its name.
        thumbnail: uint8 RGB [h, w, 3].
        count: how many of what it is.
        note: shape, setting or source, with units.
        stage: of the strip, whose page is about it.
    """

    title: str
    thumbnail: np.ndarray
    count: str
    note: str
    stage: Stage


def path_steps(replay: Replay, diagnosis: Diagnosis | None = None) -> tuple[Step, ...]:
    """Image, network input, one level's map, its objectness, proposals, refined boxes, detections."""
    trace = replay.trace
    pixels = trace.input.pixels
    proposals = trace.to_image(replay.proposals.boxes[replay.proposals.kept])
    over = _over_the_score(replay)
    steps = (
        Step(
            "Proposals", _boxes(pixels, [_group(proposals, "proposals", SKY)]),
            plural(len(proposals), "proposal"), _shown(len(proposals), "best"), Stage.PROPOSALS,
        ),
        Step(
            "Refined boxes", _boxes(pixels, [_group(over, "over the score", ACCENT)]),
            plural(len(over), "slot"), f"score > {replay.thresholds.box_score:g}; {_shown(len(over), 'best')}",
            Stage.CLASS_SLOTS,
        ),
        Step(
            "Detections", _boxes(pixels, overview_groups(replay, diagnosis)),
            plural(len(replay.labels), "detection"), _outcome(replay, diagnosis), Stage.DETECTIONS,
        ),
    )  # fmt: skip
    return (*_before_the_filters(trace), *steps)


# By the image's pixels, which live as long as anyone looks: no threshold changes these steps.
_KNOWN: MutableMapping[Tensor, tuple[RpnStage, BackboneStage, tuple[Step, ...]]] = WeakIdKeyDictionary()


def _before_the_filters(trace: Trace) -> tuple[Step, ...]:
    """Image, network input, one level's map and its objectness."""
    known = _KNOWN.get(trace.input.pixels)
    if known is not None and known[0] is trace.rpn and known[1] is trace.backbone:
        return known[2]
    level, pixels, truth = loudest_level(trace), trace.input.pixels, trace.ground_truth
    plain = _boxes(pixels, [])
    maps = list(trace.backbone.pyramid.values())
    steps = [
        Step(
            "Image", plain, "" if truth is None else plural(len(truth), "object"),
            f"{trace.input.image_size[1]} × {trace.input.image_size[0]} px", Stage.IMAGE,
        ),
        Step(
            "Network input", _input(trace), f"{shape_words(trace.input.tensor.shape)}",
            f"resized to {trace.input.network_size[1]} × {trace.input.network_size[0]} px, normalised, padded",
            Stage.IMAGE,
        ),
    ]  # fmt: skip
    if maps:
        steps.append(
            Step(
                "Pyramid", _map(trace, maps[level], plain.shape[:2]), plural(len(maps), "level"),
                f"level {level}: {shape_words(maps[level].shape)}, energy over channels", Stage.PYRAMID,
            )
        )  # fmt: skip
    steps.append(
        Step(
            "Objectness", _boxes(pixels, [], objectness_overlay(trace, level)),
            plural(len(trace.rpn.anchors), "anchor"), f"level {level}: best of each cell", Stage.ANCHORS,
        )
    )  # fmt: skip
    _KNOWN[trace.input.pixels] = trace.rpn, trace.backbone, tuple(steps)
    return tuple(steps)


def loudest_level(trace: Trace) -> int:
    """The pyramid level whose strongest anchor has the highest objectness of all."""
    best = [
        float(part.max()) if len(part) else -np.inf
        for part in trace.rpn.objectness.split(trace.rpn.per_level)
    ]
    return int(np.argmax(best))


def _over_the_score(replay: Replay) -> Tensor:
    """Boxes of the slots that enter NMS, best first, image frame."""
    ledger = replay.detections
    entrants = ledger.entrants[ledger.scores[ledger.entrants].argsort(descending=True, stable=True)]
    return replay.trace.to_image(ledger.boxes[entrants])


def _group(boxes: Tensor, name: str, color: str) -> BoxGroup:
    return BoxGroup(boxes[:_MOST_BOXES].cpu(), name, color, width=1.25)


def _shown(count: int, which: str) -> str:
    return f"the {_MOST_BOXES} {which} drawn" if count > _MOST_BOXES else "all drawn"


def _outcome(replay: Replay, diagnosis: Diagnosis | None) -> str:
    if diagnosis is None:
        suppressed = replay.detections.counts()[DetectionFate.SUPPRESSED]
        return f"NMS removed {suppressed:,} slots"
    found = len(diagnosis.verdicts) - len(diagnosis.lost)
    return f"{found} of {plural(len(diagnosis.verdicts), 'object')} found"


def _boxes(pixels: Tensor, groups: list[BoxGroup], overlay: Tensor | None = None) -> np.ndarray:
    """The image without words on it; they would not be readable."""
    plain = [
        BoxGroup(group.boxes, group.name, group.color, dash=group.dash, width=1.5, halo=group.halo)
        for group in groups
    ]
    return draw_picture(pixels, plain, overlay=overlay, sides=(SIDE, SIDE))


def _input(trace: Trace) -> np.ndarray:
    """The normalised input with its padding, each value between the darkest and the brightest one."""
    tensor = trace.input.tensor.detach().float().cpu()
    low, high = tensor.amin(), tensor.amax()
    bytes_ = ((tensor - low) / (high - low).clamp(min=1e-12) * 255).nan_to_num().round().to(torch.uint8)
    return draw_picture(bytes_, [], sides=(SIDE, SIDE))


def _map(trace: Trace, values: Tensor, size: tuple[int, ...]) -> np.ndarray:
    """Energy of one level, cut to the cells that see the image; `size` is (h, w) of the result."""
    height, width = values.shape[-2:]
    rows, columns = (
        max(1, round(cells * inner / whole))
        for cells, inner, whole in zip(
            (height, width), trace.input.network_size, trace.input.tensor.shape[-2:], strict=True
        )
    )
    colors = colorize(reduce_channels(values, "energy")[:rows, :columns])
    return cv2.resize(colors, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
