"""One RoI through the second stage: its crop, its pooled features, its class scores, its refined box.

Shapes: `R` RoIs, `K` categories with background, `C` channels. Boxes are in the **image** frame unless a name
says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from detector.models.detector import Detector
from detector.tracing.filters import DetectionFate
from detector.tracing.replay import Replay
from detector.tracing.roi_grid import SamplingGrid
from detector.tracing.trace import Trace
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, DARK_HALO, GREY, LIGHT_HALO, SELECTED, YELLOW, fate_words
from viz_app.figures.picture import BoxGroup, picture
from viz_app.figures.words import size_words
from viz_app.links import Selected

_CROP_SIDE = 280
_MOST_POINTS = 2500


@dataclass(frozen=True, slots=True)
class LevelRule:
    """How `MultiScaleRoIAlign` picks a level: floor(k0 + log2(sqrt(w h) / s0)), held within two bounds.

    Args:
        k_min, k_max: bounds; level `k_min` is the finest map.
        k0: level of a RoI of side `s0`.
        s0: px, network frame.
    """

    k_min: int
    k_max: int
    k0: int
    s0: float

    def unbounded(self, side: float) -> float:
        """k0 + log2(side / s0), before rounding down, for a RoI with sqrt(w h) = side px, network frame."""
        return self.k0 + float(np.log2(max(side, 1e-6) / self.s0))


def level_rule(detector: Detector) -> LevelRule | None:
    """The rule of the detector's RoI pooling; None where it pools from one map."""
    mapper = getattr(detector.model.roi_heads.box_roi_pool, "map_levels", None)
    if mapper is None or mapper.k_min == mapper.k_max:
        return None
    return LevelRule(int(mapper.k_min), int(mapper.k_max), int(mapper.lvl0), float(mapper.s0))


def best_classes(replay: Replay) -> tuple[Tensor, Tensor]:
    """For each RoI the most probable category but background, int64 [R], and its probability, float [R]."""
    if len(replay.class_scores) == 0:
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0)
    scores, labels = replay.class_scores[:, 1:].max(dim=1)
    return labels + 1, scores


def refined_box(replay: Replay, roi: int, label: int) -> Tensor:
    """The RoI's box after the deltas of a category, clipped, float [4]."""
    boxes = replay.class_boxes[roi]
    return replay.trace.to_image(boxes[label if len(boxes) > 1 else 0])


def class_deltas(replay: Replay, roi: int, label: int) -> Tensor:
    """The head's deltas (dx, dy, dw, dh) for a category, float [4], still times the box coder's weights."""
    return replay.head.deltas[roi].reshape(-1, 4)[label if replay.class_boxes.shape[1] > 1 else 0]


def slot_fate_words(replay: Replay, slot: int) -> str:
    """What became of one class slot, such as `low score`."""
    return fate_words(DetectionFate(int(replay.detections.fate[slot])))


def roi_hover(replay: Replay, rois: Tensor) -> tuple[str, ...]:
    """One text for each RoI: best category, level, size, fate of the best slot."""
    labels, scores = (values[rois] for values in best_classes(replay))
    boxes = replay.trace.to_image(replay.head.boxes[rois]).tolist()
    fates = replay.detections.fate[replay.slot_of(rois, labels)].tolist()
    rows = zip(
        rois.tolist(),
        labels.tolist(),
        scores.tolist(),
        fates,
        replay.head.level[rois].tolist(),
        boxes,
        strict=True,
    )
    return tuple(
        f"RoI {roi} · {replay.trace.categories[label]} {score:.3f} · {fate_words(DetectionFate(fate))}<br>"
        f"level {level}<br>{size_words(box)} px, image frame"
        for roi, label, score, fate, level, box in rows
    )


def selected_roi_groups(replay: Replay, roi: int, label: int, *, linked: bool = True) -> list[BoxGroup]:
    """One RoI dotted, and its box after the refinement solid.

    Args:
        replay: the RoIs.
        roi: which of them.
        label: whose deltas move it.
        linked: the RoI is what is selected among others; what is selected is drawn in one colour, on top.
    """
    index = torch.tensor([roi])
    before = replay.trace.to_image(replay.head.boxes[index])
    after = refined_box(replay, roi, label)[None]
    score = float(replay.class_scores[roi, label])
    name = f"{replay.trace.categories[label]} {score:.2f}"
    anchor = int(replay.head.anchor[roi])
    items = (Selected("anchor", anchor),) if linked and anchor >= 0 else ()
    looks: Any = {"counted": False, "hover": roi_hover(replay, index)}
    return [
        BoxGroup(
            before, "RoI, before", SELECTED, dash="dot", width=2.5, halo=DARK_HALO, items=items, **looks
        ),
        BoxGroup(after, "refined, after", ACCENT, width=3, halo=LIGHT_HALO, labels=(name,), **looks),
    ]


def crop(trace: Trace, box: Tensor, side: int = _CROP_SIDE) -> np.ndarray:
    """The image inside a box [4], squeezed to a square as RoIAlign squeezes it; uint8 [side, side, 3].

    Parts of the box outside the image are black.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    pixels = np.ascontiguousarray(trace.input.pixels.cpu().permute(1, 2, 0).numpy())
    width, height = max(x2 - x1, 1e-3), max(y2 - y1, 1e-3)
    # Pixel centres lie at half positions on both sides.
    matrix = np.array(
        [[width / side, 0, x1 - 0.5 + 0.5 * width / side], [0, height / side, y1 - 0.5 + 0.5 * height / side]]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def crop_figure(trace: Trace, grid: SamplingGrid) -> go.Figure:
    """What RoIAlign covers for one RoI, squeezed to a square, with its bins and sample points."""
    whole = trace.to_image(torch.cat((grid.bins[0, 0, :2], grid.bins[-1, -1, 2:])))
    pixels = torch.from_numpy(crop(trace, whole)).permute(2, 0, 1)
    figure = picture(pixels, height=_CROP_SIDE)
    rows, columns, down, across = grid.points.shape[:4]
    ends = np.array([0, _CROP_SIDE, np.nan])
    across_lines = [(ends, np.array([y, y, np.nan])) for y in np.linspace(0, _CROP_SIDE, rows + 1)]
    down_lines = [(np.array([x, x, np.nan]), ends) for x in np.linspace(0, _CROP_SIDE, columns + 1)]
    xs, ys = (np.concatenate(parts) for parts in zip(*across_lines, *down_lines, strict=True))
    line = {"color": "rgba(255,255,255,0.65)", "width": 1}
    figure.add_scatter(x=xs, y=ys, mode="lines", line=line, name="bins", hoverinfo="skip")
    # The points are evenly spread, over bin borders too.
    x, y = (
        (np.arange(bins * n) + 0.5) * _CROP_SIDE / max(bins * n, 1)
        for bins, n in ((columns, across), (rows, down))
    )
    if len(x) and len(x) * len(y) <= _MOST_POINTS:
        marker = {"color": YELLOW, "size": 4, "line": {"width": 1, "color": "black"}}
        figure.add_scatter(
            x=np.tile(x, len(y)), y=np.repeat(y, len(x)), mode="markers", marker=marker, name="sample points",
            hoverinfo="skip",
        )  # fmt: skip
    return figure


def score_bars(replay: Replay, roi: int, count: int = 5) -> go.Figure:
    """The highest class probabilities of one RoI as bars, background grey, with the score threshold."""
    scores = replay.class_scores[roi]
    top = scores.topk(min(count, len(scores)))
    names = [replay.trace.categories[index] for index in top.indices.tolist()]
    colors = [GREY if index == 0 else ACCENT for index in top.indices.tolist()]
    values = top.values.tolist()
    figure = go.Figure()
    figure.add_bar(
        y=names, x=values, orientation="h", marker={"color": colors}, name="probability",
        text=[f"{value:.3f}" for value in values], textposition="outside", cliponaxis=False,
        hovertemplate="%{y}: %{x:.4f}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=replay.thresholds.box_score, line={"color": SELECTED, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(range=[0, 1.3], tickvals=[0, 0.5, 1])
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return calm(figure, x="class probability", height=_CROP_SIDE)
