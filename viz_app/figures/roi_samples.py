"""What a training step draws for the second stage: RoIs, added objects, targets, and the share of positives.

Shapes: `S` sampled RoIs. Boxes are in the **image** frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import plotly.graph_objects as go
import torch
from torch import Tensor

from detector.tracing.roi_losses import RoiLosses, own_deltas
from detector.tracing.roi_origins import RoiOrigins
from detector.tracing.samples import RoiSamples
from detector.tracing.trace import Trace
from viz_app.figures.charts import calm
from viz_app.figures.palette import (
    ACCENT,
    DARK_HALO,
    GREEN,
    GREY,
    LIGHT_HALO,
    SELECTED,
    VERMILLION,
)
from viz_app.figures.picture import BoxGroup
from viz_app.figures.words import size_words
from viz_app.links import Selected

Order = Literal["class loss", "box loss", "sum"]


@dataclass(frozen=True, slots=True)
class Quota:
    """How many RoIs a step was asked to draw, and drew.

    Args:
        size: `batch_size_per_image`.
        fraction: `positive_fraction`, the highest share of positives.
        positives, negatives: drawn.
    """

    size: int
    fraction: float
    positives: int
    negatives: int

    @property
    def asked(self) -> int:
        """The most positives that may be drawn."""
        return int(self.size * self.fraction)

    @property
    def share(self) -> float:
        """Share of positives among what was drawn."""
        return self.positives / max(self.positives + self.negatives, 1)


def sample_items(origins: RoiOrigins) -> tuple[Selected | None, ...]:
    """What selects each of the S drawn RoIs: its anchor, or the object that was added as RoI."""
    return tuple(
        Selected("anchor", anchor) if anchor >= 0 else Selected("object", index) if index >= 0 else None
        for anchor, index in zip(origins.anchor.tolist(), origins.object.tolist(), strict=True)
    )


def sample_order(losses: RoiLosses, rows: Tensor, by: Order, *, best: bool = False) -> Tensor:
    """Some drawn RoIs, int64 [n], by a loss, the highest first; the lowest first for the best."""
    values = {"class loss": losses.cls, "box loss": losses.box, "sum": losses.cls + losses.box}[by]
    return rows[values[rows].argsort(descending=not best, stable=True)]


def roi_sample_table(trace: Trace, rois: RoiSamples, losses: RoiLosses, rows: Tensor) -> pd.DataFrame:
    """One row for each of n drawn RoIs: what it should be, what it was taken for, and its two losses."""
    names, matched = trace.categories, rois.matched[rows].tolist()
    probability = rois.class_logits[rows].softmax(1).gather(1, rois.labels[rows][:, None])[:, 0]
    return pd.DataFrame(
        {
            "learns": [names[label] for label in rois.labels[rows].tolist()],
            "taken for": [names[label] for label in losses.predicted[rows].tolist()],
            "p": probability.float().cpu().numpy(),
            "class loss": losses.cls[rows].float().cpu().numpy(),
            "box loss": losses.box[rows].float().cpu().numpy(),
            "object": [f"#{index}" if index >= 0 else "" for index in matched],
            "added": rois.is_object[rows].cpu().numpy(),
            "size, px": [size_words(box) for box in trace.to_image(rois.boxes[rows])],
        }
    )


def roi_sample_groups(
    trace: Trace, rois: RoiSamples, losses: RoiLosses, origins: RoiOrigins, shown: tuple[str, ...]
) -> list[BoxGroup]:
    """The drawn RoIs of a training step.

    Args:
        trace: the image.
        rois, losses, origins: of the step.
        shown: any of `negatives`, `positives`, `added objects` and `predicted` (the positives after the
            deltas that this step predicted).
    """
    positive = rois.labels > 0
    looks = {
        "negatives": (~positive, "sampled negatives", GREY, 1.0),
        "positives": (positive & ~rois.is_object, "sampled positives", ACCENT, 1.75),
        "added objects": (rois.is_object, "objects added as RoIs", VERMILLION, 2.0),
    }
    items, groups = sample_items(origins), []
    for key, (mask, name, color, width) in looks.items():
        rows = mask.nonzero().flatten()
        if key in shown and len(rows):
            groups.append(
                BoxGroup(
                    trace.to_image(rois.boxes[rows]), name, color, dash="dot", width=width,
                    hover=sample_hover(trace, rois, losses, rows),
                    items=tuple(items[row] for row in rows.tolist()),
                )
            )  # fmt: skip
    if "predicted" in shown:
        rows = positive.nonzero().flatten()
        boxes = predicted_boxes(trace, rois, rows)
        groups.append(
            BoxGroup(boxes, "predicted", GREEN, width=1.5, items=tuple(items[r] for r in rows.tolist()))
        )
    return groups


def selected_sample_groups(trace: Trace, rois: RoiSamples, losses: RoiLosses, row: int) -> list[BoxGroup]:
    """One drawn RoI dotted; for a positive what the step predicted solid and its target, the object, green."""
    index = torch.tensor([row])
    hover = sample_hover(trace, rois, losses, index)
    box = trace.to_image(rois.boxes[index])
    groups = [
        BoxGroup(
            box, "selected RoI", SELECTED, counted=False, dash="dot", width=2.5, halo=DARK_HALO, hover=hover
        )
    ]
    if int(rois.labels[row]) > 0:
        target = trace.rules.box_coder.decode(rois.targets[index], [rois.boxes[index]]).reshape(-1, 4)
        groups += [
            BoxGroup(trace.to_image(target), "its target", GREEN, counted=False, width=2.5, halo=LIGHT_HALO),
            BoxGroup(
                predicted_boxes(trace, rois, index), "predicted", SELECTED, counted=False, width=2.5,
                halo=LIGHT_HALO, hover=hover,
            ),
        ]  # fmt: skip
    return groups


def predicted_boxes(trace: Trace, rois: RoiSamples, rows: Tensor) -> Tensor:
    """Boxes, float [n, 4], that the step predicted for their own category."""
    decoded = trace.rules.box_coder.decode(own_deltas(rois)[rows], [rois.boxes[rows]])
    return trace.to_image(decoded.reshape(-1, 4))


def sample_hover(trace: Trace, rois: RoiSamples, losses: RoiLosses, rows: Tensor) -> tuple[str, ...]:
    """One text for each drawn RoI: what it learns, what it was taken for, size and losses."""
    names = trace.categories
    texts = []
    for row, box in zip(rows.tolist(), trace.to_image(rois.boxes[rows]).tolist(), strict=True):
        matched = int(rois.matched[row])
        texts.append(
            f"learns {names[int(rois.labels[row])]}{f' (object #{matched})' if matched >= 0 else ''}, "
            f"taken for {names[int(losses.predicted[row])]}<br>{size_words(box)} px, image frame<br>"
            f"loss: class {float(losses.cls[row]):.3f}, box {float(losses.box[row]):.3f}"
        )
    return tuple(texts)


def quota_figure(quota: Quota) -> go.Figure:
    """One bar: positives and negatives that were drawn, what is missing, and a line at the most positives."""
    missing = max(quota.size - quota.positives - quota.negatives, 0)
    figure = go.Figure()
    for name, count, color, opacity in (
        ("positives", quota.positives, ACCENT, 1.0),
        ("negatives", quota.negatives, GREY, 0.8),
        ("not drawn", missing, GREY, 0.25),
    ):
        figure.add_bar(
            y=["drawn"], x=[count], orientation="h", name=name, marker={"color": color}, opacity=opacity,
            text=[f"{count:,} {name}" if count else ""], textposition="inside", insidetextanchor="middle",
            hovertemplate=f"{count:,} {name}<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=quota.asked, line={"color": SELECTED, "width": 2, "dash": "dot"})
    figure.update_layout(barmode="stack", bargap=0.1)
    figure.update_yaxes(visible=False)
    figure.update_xaxes(range=[0, max(quota.size, 1)])
    return calm(figure, x="RoIs", height=110).update_layout(bargap=0.1)
