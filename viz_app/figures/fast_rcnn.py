"""One RoI through the second stage: its crop, its pooled features, its class scores, its refined box.

Shapes: `R` RoIs, `K` categories with background, `C` channels. Boxes are in the **image** frame unless a name
says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from detector.models.detector import Detector
from detector.tracing.filters import DetectionFate
from detector.tracing.replay import Replay
from detector.tracing.trace import Trace
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, DARK_HALO, GREY, LIGHT_HALO, SELECTED, fate_words, level_color
from viz_app.figures.picture import BoxGroup, picture
from viz_app.figures.words import size_words

_CROP_SIDE = 280


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


def roi_hover(replay: Replay, rois: Tensor) -> tuple[str, ...]:
    """One text for each RoI: best category, level, size, fate of the best slot."""
    labels, scores = best_classes(replay)
    boxes = replay.trace.to_image(replay.head.boxes[rois])
    texts = []
    for roi, box in zip(rois.tolist(), boxes, strict=True):
        label = int(labels[roi])
        fate = DetectionFate(int(replay.detections.fate[replay.slot_of(rois.new_tensor(roi), labels[roi])]))
        texts.append(
            f"RoI {roi} · {replay.trace.categories[label]} {float(scores[roi]):.3f} · {fate_words(fate)}<br>"
            f"level {int(replay.head.level[roi])}<br>{size_words(box)} px, image frame"
        )
    return tuple(texts)


def level_groups(replay: Replay, rois: Tensor, *, opacity: float = 0.7) -> list[BoxGroup]:
    """RoIs in the colour of the pyramid level they are pooled from."""
    groups = []
    for level in replay.head.level[rois].unique().tolist():
        members = rois[replay.head.level[rois] == level]
        boxes = replay.trace.to_image(replay.head.boxes[members])
        groups.append(
            BoxGroup(
                boxes, f"level {level}", level_color(level), width=1, opacity=opacity,
                hover=roi_hover(replay, members),
            )
        )  # fmt: skip
    return groups


def selected_roi_groups(replay: Replay, roi: int, label: int) -> list[BoxGroup]:
    """One RoI dotted, and its box after the refinement solid."""
    index = torch.tensor([roi])
    before = replay.trace.to_image(replay.head.boxes[index])
    after = refined_box(replay, roi, label)[None]
    hover = roi_hover(replay, index)
    score = float(replay.class_scores[roi, label])
    name = f"{replay.trace.categories[label]} {score:.2f}"
    return [
        BoxGroup(
            before, "RoI, before", SELECTED, counted=False, dash="dot", width=2.5, halo=DARK_HALO, hover=hover
        ),
        BoxGroup(
            after,
            "refined, after",
            ACCENT,
            counted=False,
            width=3,
            halo=LIGHT_HALO,
            hover=hover,
            labels=(name,),
        ),
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


def crop_figure(replay: Replay, roi: int) -> go.Figure:
    """The crop of a RoI with the grid of bins that RoIAlign averages over."""
    image = crop(replay.trace, replay.trace.to_image(replay.head.boxes[roi]))
    pixels = torch.from_numpy(image).permute(2, 0, 1)
    figure = picture(pixels, height=_CROP_SIDE)
    cells = replay.trace.head.features
    rows, columns = (7, 7) if cells is None else cells.shape[-2:]
    ends = np.array([0, _CROP_SIDE, np.nan])
    across = [(ends, np.array([y, y, np.nan])) for y in np.linspace(0, _CROP_SIDE, rows + 1)]
    down = [(np.array([x, x, np.nan]), ends) for x in np.linspace(0, _CROP_SIDE, columns + 1)]
    xs, ys = (np.concatenate(parts) for parts in zip(*across, *down, strict=True))
    line = {"color": "rgba(255,255,255,0.65)", "width": 1}
    figure.add_scatter(x=xs, y=ys, mode="lines", line=line, name="bins", hoverinfo="skip")
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
    figure.update_xaxes(range=[0, 1.15], tickvals=[0, 0.5, 1])
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return calm(figure, x="class probability", height=_CROP_SIDE)
