"""RoIs by the pyramid level they are pooled from, with the rule that sent them there.

Shapes: `R` RoIs. Boxes are in the **image** frame, sides of the rule in the **network** frame.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from torch import Tensor

from detector.tracing.replay import Replay
from viz_app.figures.charts import calm
from viz_app.figures.fast_rcnn import LevelRule, roi_hover
from viz_app.figures.palette import SELECTED, level_color
from viz_app.figures.picture import BoxGroup
from viz_app.figures.roi_items import roi_items

_STEPS = 6  # bins of the histogram in a doubling of the side


def level_groups(replay: Replay, rois: Tensor, *, opacity: float = 0.7) -> list[BoxGroup]:
    """RoIs in the colour of the pyramid level they are pooled from."""
    groups = []
    for level in replay.head.level[rois].unique().tolist():
        members = rois[replay.head.level[rois] == level]
        boxes = replay.trace.to_image(replay.head.boxes[members])
        groups.append(
            BoxGroup(
                boxes, f"level {level}", level_color(level), width=1, opacity=opacity,
                hover=roi_hover(replay, members), items=roi_items(replay, members),
            )
        )  # fmt: skip
    return groups


def roi_sides(replay: Replay) -> Tensor:
    """sqrt(w h) of each RoI, float [R], px, network frame."""
    boxes = replay.head.boxes
    return ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).clamp(min=0).sqrt()


def level_bounds(rule: LevelRule) -> list[float]:
    """The sides, px, network frame, at which a RoI goes to the next coarser level; one less than levels."""
    return [rule.s0 * 2.0 ** (k - rule.k0) for k in range(rule.k_min + 1, rule.k_max + 1)]


def roi_level_table(replay: Replay, rule: LevelRule | None) -> pd.DataFrame:
    """One row for each level: its map, the sides it takes (where a rule is known), RoIs, and detections."""
    trace, replay_levels = replay.trace, replay.head.level
    detected = replay_levels[replay.rois]
    ends = [0.0, *level_bounds(rule), math.inf] if rule is not None else None
    rows = []
    for level, (height, width, _) in enumerate(trace.rpn.grid):
        rows.append(
            {
                "level": level,
                "map, cells": f"{height} × {width}",
                "√(w·h), px": "" if ends is None else _range_words(ends[level : level + 2]),
                "RoIs": int((replay_levels == level).sum()),
                "detections": int((detected == level).sum()),
            }
        )
    return pd.DataFrame(rows)


def level_figure(replay: Replay, rule: LevelRule | None, roi: int | None = None) -> go.Figure:
    """How many RoIs have which side, in the colour of their level; dotted lines where the rule changes level.

    Args:
        replay: the RoIs.
        rule: of the pooling; None where there is one map.
        roi: is marked.
    """
    octaves = np.log2(np.maximum(roi_sides(replay).float().cpu().numpy(), 1e-3))
    levels = replay.head.level.cpu().numpy()
    low, high = (math.floor(octaves.min()), math.ceil(octaves.max() + 1e-6)) if len(octaves) else (0, 1)
    edges = np.linspace(low, high, max(high - low, 1) * _STEPS + 1)
    figure = go.Figure()
    for level in np.unique(levels).tolist():
        counts = np.histogram(octaves[levels == level], edges)[0]
        sides = 2 ** ((edges[:-1] + edges[1:]) / 2)
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2, y=counts, width=1 / _STEPS, name=f"level {level}",
            marker={"color": level_color(level), "line": {"width": 0}}, customdata=sides,
            hovertemplate=f"level {level}<br>about %{{customdata:.0f}} px<br>%{{y:,}} RoIs<extra></extra>",
        )  # fmt: skip
    line: dict[str, Any] = {"color": "rgba(128,128,128,0.9)", "width": 1.5, "dash": "dot"}
    for bound in level_bounds(rule) if rule is not None else []:
        if low <= math.log2(bound) <= high:
            figure.add_vline(x=math.log2(bound), line=line)
    if roi is not None:
        figure.add_vline(x=float(octaves[roi]), line={"color": SELECTED, "width": 2.5})
    ticks = list(range(low, high + 1))
    figure.update_layout(barmode="stack")
    figure.update_xaxes(tickvals=ticks, ticktext=[f"{2.0**tick:g}" for tick in ticks], range=[low, high])
    return calm(figure, x="√(w·h), px, network frame", y="RoIs", height=220).update_layout(bargap=0)


def _range_words(ends: list[float]) -> str:
    if len(ends) < 2:
        return "not pooled from"
    low, high = ends
    if high == math.inf:
        return f"{low:g} and more"
    return f"under {high:g}" if low == 0 else f"{low:g} – {high:g}"
