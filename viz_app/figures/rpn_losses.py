"""What a training step pays for its anchors: targets against predictions, labels against scores, tables.

`step` is a training trace. Shapes: `N` anchors, `P` drawn positives, `n` any anchors.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots
from torch import Tensor

from detector.tracing.anchor_losses import anchor_terms, label_confusion, view_of
from detector.tracing.trace import Trace
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, GREY, SELECTED, with_alpha
from viz_app.figures.rpn_charts import DELTAS
from viz_app.figures.rpn_samples import LABEL_WORDS
from viz_app.figures.words import size_words


def loss_table(step: Trace, anchors: Tensor) -> pd.DataFrame:
    """One row for each of n anchors, in their order: label, object, objectness, and what each would pay.

    The losses are those of the anchor alone: their means over the drawn anchors are the losses of the step.
    """
    samples, terms = view_of(step).anchors, anchor_terms(step)
    drawn = _is_drawn(step)[anchors]
    matched = samples.matched[anchors].tolist()
    labels = [LABEL_WORDS[label] for label in samples.labels[anchors].tolist()]
    return pd.DataFrame(
        {
            "label": [
                "rescued" if rescued else label
                for label, rescued in zip(labels, samples.rescued[anchors].tolist(), strict=True)
            ],
            "object": [f"#{index}" if index >= 0 else "" for index in matched],
            "objectness": step.rpn.objectness[anchors].sigmoid().float().tolist(),
            "objectness loss": terms.objectness[anchors].float().tolist(),
            "box loss": terms.box[anchors].float().tolist(),
            "drawn": drawn.tolist(),
            "anchor, px": [size_words(box) for box in step.to_image(step.rpn.anchors[anchors]).tolist()],
            "anchor": anchors.tolist(),
        }
    )


def drawn_by_loss(step: Trace) -> Tensor:
    """The drawn anchors, int64 [P + Q]: positives first, each part by its loss, the highest first."""
    samples, terms = view_of(step).anchors, anchor_terms(step).of("sum")
    parts = (samples.positives, samples.negatives)
    return torch.cat([part[terms[part].argsort(descending=True, stable=True)] for part in parts])


def _is_drawn(step: Trace) -> Tensor:
    samples = view_of(step).anchors
    drawn = torch.zeros(len(samples.labels), dtype=torch.bool)
    drawn[torch.cat((samples.positives, samples.negatives))] = True
    return drawn


def target_scatter(step: Trace, anchors: Tensor, selected: int | None = None) -> go.Figure:
    """Predicted against target deltas of positive anchors, one panel for each delta; on the diagonal is right.

    Args:
        step: the training step.
        anchors: int64 [n], positives.
        selected: one anchor to point out.
    """
    figure = make_subplots(1, 4, horizontal_spacing=0.06)
    targets, predicted = view_of(step).anchors.targets[anchors], step.rpn.deltas[anchors]
    chosen = anchors == (-1 if selected is None else selected)
    for place, name in enumerate(DELTAS):
        xs, ys = (values[:, place].float().cpu().numpy() for values in (targets, predicted))
        ends = _ends(np.concatenate((xs, ys)))
        figure.add_trace(
            go.Scatter(
                x=ends, y=ends, mode="lines", line={"color": GREY, "width": 1, "dash": "dot"}, hoverinfo="skip",
                name="right",
            ),
            row=1, col=place + 1,
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=xs, y=ys, mode="markers", name=name, customdata=anchors.tolist(),
                marker={
                    "color": [SELECTED if one else ACCENT for one in chosen.tolist()],
                    "size": [11 if one else 6 for one in chosen.tolist()], "opacity": 0.8,
                },
                hovertemplate=f"anchor %{{customdata:,}}<br>target {name} %{{x:.3f}}<br>"
                f"predicted {name} %{{y:.3f}}<extra></extra>",
            ),
            row=1, col=place + 1,
        )  # fmt: skip
    calm(figure)
    for place, name in enumerate(DELTAS):
        figure.update_xaxes(title=f"target {name}", nticks=4, tickangle=0, row=1, col=place + 1)
    return figure.update_yaxes(title="predicted", row=1, col=1)


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Both ends of the diagonal: all values and 0, and never a single point."""
    finite = values[np.isfinite(values)]
    low, high = (0.0, 0.0) if len(finite) == 0 else (float(finite.min()), float(finite.max()))
    low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.05 * (high - low) or 0.1
    return low - margin, high + margin


def confusion_figure(step: Trace, anchors: Tensor) -> go.Figure:
    """Labels against objectness at 0.5: counts, coloured by their share of the row; ignored anchors left out."""
    counts = label_confusion(step, anchors).numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = ["object", "background"]
    heat = go.Heatmap(
        z=shares, x=names, y=names, customdata=counts, zmin=0, zmax=1, showscale=False, xgap=2, ygap=2,
        colorscale=[(0, with_alpha(ACCENT, 0.05)), (1, with_alpha(ACCENT, 0.75))], name="anchors",
        hovertemplate="labelled %{y}, scored %{x}<br>%{customdata:,} anchors, %{z:.1%} of the row<extra></extra>",
    )  # fmt: skip
    figure = calm(go.Figure(heat), x="objectness ≥ 0.5 says", y="label says", height=230)
    flat = list(zip(counts.ravel().tolist(), shares.ravel().tolist(), strict=True))
    # Letters of their own: on a nearly clear cell they have to read on a light page and on a dark one.
    figure.add_scatter(
        x=names * 2, y=[name for name in names for _ in names], mode="text", hoverinfo="skip", name="counts",
        text=[f"{count:,}<br>{share:.1%}" for count, share in flat],
        textfont={"color": ["white" if share > 0.4 else GREY for _, share in flat]},
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure.update_xaxes(showgrid=False)


def loss_words(step: Trace) -> str:
    """How both losses came about: sums over the drawn anchors, divided by their number."""
    view, terms = view_of(step), anchor_terms(step)
    drawn = _is_drawn(step)
    count = int(drawn.sum())
    parts = []
    for name, values, shares, loss in (
        ("Objectness", terms.objectness, view.anchor_cls_loss, view.losses.rpn_cls),
        ("Box", terms.box, view.anchor_bbox_loss, view.losses.rpn_bbox),
    ):
        own = float(shares.sum())
        if abs(own - loss) <= 1e-4 * loss + 1e-9:
            parts.append(f"{name} loss {float(values[drawn].sum()):.3f} / {count} = **{loss:.4f}**")
        else:
            parts.append(f"{name} loss **{loss:.4f}** of the whole batch, {own:.4f} of it from this image")
    return ". ".join(parts) + "."
