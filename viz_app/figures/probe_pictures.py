"""P3: one probe image over the epochs: objectness, proposals, detections, and the rung that each object came to.

Boxes are in the **image** frame. Epochs count from 0; -1 is the model before its first step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from detector.explaining.evidence_words import object_name
from detector.explaining.ladder import diagnose
from detector.explaining.rungs import Rung
from detector.tracing.filters import ProposalFate
from detector.tracing.replay import Replayer
from viz_app.figures.epoch_curves import epoch_name
from viz_app.figures.full_network import overview_groups
from viz_app.figures.lettering import Lettering
from viz_app.figures.palette import ACCENT, GREY, rgba
from viz_app.figures.raster import draw_picture
from viz_app.figures.rpn import objectness_overlay, scale_html
from viz_app.figures.rpn_filter import fate_groups, ground_truth_group

if TYPE_CHECKING:
    from torch import Tensor

    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay
    from detector.tracing.trace import Trace
    from viz_app.figures.picture import BoxGroup

Layer = Literal["detections", "proposals", "objectness"]
LAYERS: tuple[Layer, ...] = ("detections", "proposals", "objectness")
MOST_FRAMES = 8

_PROPOSALS = 100
_ROW, _HEAD = 27, 66
_SIDE, _GAP, _LETTERS = 190, 10, 14
_COLUMNS = 4


@dataclass(frozen=True, slots=True, eq=False)
class ProbeFrame:
    """One probe image after one epoch.

    Args:
        epoch: that has ended.
        replay: its trace, under the thresholds that it was captured with.
        diagnosis: a verdict for each object; None where no objects are known.
    """

    epoch: int
    replay: Replay
    diagnosis: Diagnosis | None


@dataclass(frozen=True, slots=True, eq=False)
class ProbeGlance:
    """What is kept of a frame where many epochs are shown at once: a trace would take megabytes each.

    Args:
        epoch: that has ended.
        rungs: how far each object came, by its index.
        names: of the objects, such as `#3 ring`.
        pictures: small ones of each layer, uint8 RGB [h, w, 3].
    """

    epoch: int
    rungs: dict[int, Rung]
    names: dict[int, str]
    pictures: dict[Layer, np.ndarray]


def probe_frame(epoch: int, trace: Trace) -> ProbeFrame:
    """Replay a probe's trace and say what became of each object; the model is not needed."""
    replay = Replayer(trace).replay()
    truth = trace.ground_truth
    return ProbeFrame(epoch, replay, None if truth is None else diagnose(replay, truth))


def frame_groups(frame: ProbeFrame, layer: Layer) -> list[BoxGroup]:
    """The boxes of one layer: detections and lost objects, or the best proposals, over the ground truth."""
    replay = frame.replay
    if layer == "detections":
        return overview_groups(replay, frame.diagnosis)
    truth = ground_truth_group(replay.trace.ground_truth, replay.trace.categories)
    proposals = fate_groups(replay, [ProposalFate.KEPT], _PROPOSALS) if layer == "proposals" else []
    return [*proposals, *truth]


def frame_overlay(frame: ProbeFrame, layer: Layer) -> Tensor | None:
    """The heat of objectness, uint8 [h, w, 4] RGBA: in each place that of the surest level."""
    if layer != "objectness":
        return None
    trace = frame.replay.trace
    levels = torch.stack([objectness_overlay(trace, level) for level in range(len(trace.rpn.per_level))])
    # An overlay is the more solid the higher the objectness.
    surest = levels[..., 3].argmax(dim=0)
    return levels.gather(0, surest[None, ..., None].expand(1, *levels.shape[1:]))[0]


def frame_scale(layer: Layer) -> str:
    """One line of HTML that says what the colours of a layer mean."""
    return scale_html() if layer == "objectness" else ""


def frames_shown(epochs: Sequence[int], chosen: int, most: int = MOST_FRAMES) -> list[int]:
    """Epochs of a film strip: spread evenly from the first to the last, and the chosen one in any case."""
    if len(epochs) <= most:
        return list(epochs)
    spread = [epochs[int(place)] for place in np.linspace(0, len(epochs) - 1, most).round()]
    if chosen in epochs and chosen not in spread:
        nearest = min(range(1, most - 1), key=lambda place: abs(spread[place] - chosen))
        spread[nearest] = chosen
    return spread


def glance_at(frame: ProbeFrame) -> ProbeGlance:
    """What is kept of a frame."""
    diagnosis = frame.diagnosis
    verdicts = () if diagnosis is None else diagnosis.verdicts
    return ProbeGlance(
        frame.epoch,
        {verdict.object: verdict.rung for verdict in verdicts},
        {verdict.object: object_name(diagnosis, verdict.object) for verdict in verdicts if diagnosis},
        {layer: _small(frame, layer) for layer in LAYERS},
    )


def film_strip(glances: Sequence[ProbeGlance], layer: Layer, chosen: int) -> np.ndarray:
    """One layer of several epochs beside each other, uint8 RGBA [h, w, 4]; the chosen epoch has a blue edge.

    The ground is clear, and its letters grey, for a light and a dark page.

    Args:
        glances: of one image, in order, at least one.
        layer: what is drawn on each.
        chosen: an epoch.
    """
    drawn = [_titled(glance, layer, chosen=glance.epoch == chosen) for glance in glances]
    gap = np.zeros((drawn[0].shape[0], _GAP, 4), dtype=np.uint8)
    return np.hstack([part for picture in drawn for part in (gap, picture)][1:])


def side_by_side(glances: Sequence[ProbeGlance], layer: Layer) -> np.ndarray:
    """One layer of several images in rows of four, uint8 RGBA [h, w, 4]; the ground is clear.

    Args:
        glances: of one epoch, at least one.
        layer: what is drawn on each.
    """
    cells = [_cell(glance.pictures[layer]) for glance in glances]
    columns = min(len(cells), _COLUMNS)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [np.hstack(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    return np.vstack(rows)[:-_GAP, :-_GAP]


def _cell(picture: np.ndarray) -> np.ndarray:
    """A picture of any shape at the upper left of a square that all have, with the gap to the next."""
    height, width = picture.shape[:2]
    cell = np.zeros((_SIDE + _GAP, _SIDE + _GAP, 4), dtype=np.uint8)
    cell[:height, :width, :3], cell[:height, :width, 3] = picture, 255
    return cell


def _small(frame: ProbeFrame, layer: Layer) -> np.ndarray:
    """One picture of the strip. Labels would cover it: boxes alone tell enough."""
    groups = [replace(group, labels=(), width=min(group.width, 1.5)) for group in frame_groups(frame, layer)]
    pixels = frame.replay.trace.input.pixels
    return draw_picture(pixels, groups, overlay=frame_overlay(frame, layer), sides=(_SIDE, _SIDE))


def _titled(glance: ProbeGlance, layer: Layer, *, chosen: bool) -> np.ndarray:
    """A picture with its epoch above it, uint8 RGBA."""
    picture = np.dstack((glance.pictures[layer], np.full(glance.pictures[layer].shape[:2], 255, np.uint8)))
    accent, grey = rgba(ACCENT)[0], rgba(GREY)[0]
    if chosen:
        edge = (*accent, 255)
        picture[:4], picture[-4:], picture[:, :4], picture[:, -4:] = edge, edge, edge, edge
    lettering = Lettering(_LETTERS, bold=chosen)
    paper = np.full((lettering.line + 4, picture.shape[1], 3), 255, dtype=np.uint8)
    name = epoch_name(glance.epoch)
    lettering.write(paper, name if glance.epoch < 0 else f"epoch {name}", (2, 0), "#000000")
    head = np.empty((*paper.shape[:2], 4), dtype=np.uint8)
    head[..., :3], head[..., 3] = accent if chosen else grey, 255 - paper[..., 0]
    return np.vstack((head, picture))
