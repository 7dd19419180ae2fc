"""Weights and biases of a model: a table with alerts, and the histogram of one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from torch import Tensor

from detector.models.weight_statistics import EXPLODING, WeightStatistics
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, GREY, LOST, SELECTED
from viz_app.figures.words import plural, shape_words

PARTS = ("backbone.body", "backbone.fpn", "rpn", "roi_heads")
_BINS = 60


def part_of(name: str) -> str:
    """The stage that a tensor belongs to, such as `rpn`; the first word of its name for other models."""
    return next((part for part in PARTS if name.startswith(f"{part}.")), name.partition(".")[0])


def weight_table(numbers: Sequence[WeightStatistics]) -> pd.DataFrame:
    """One row for each tensor; the share of zeros is 0 to 1; alerts only where there is any."""
    table = {
        "tensor": [one.name for one in numbers],
        "alert": ["" if one.alert is None else one.alert.value for one in numbers],
        "shape": [shape_words(one.shape) or "1" for one in numbers],
        "mean": [one.mean for one in numbers],
        "std": [one.std for one in numbers],
        "largest": [one.largest for one in numbers],
        "zeros": [one.zeros for one in numbers],
    }
    if not any(table["alert"]):
        del table["alert"]
    return pd.DataFrame(table)


def alert_words(numbers: Sequence[WeightStatistics]) -> str:
    """One sentence about all alerts of a model."""
    found = [one for one in numbers if one.alert is not None]
    tensors = plural(len(numbers), "tensor")
    if not found:
        return f"None of {tensors} has an alert."
    kinds = {alert: sum(one.alert is alert for one in found) for alert in (one.alert for one in found)}
    words = ", ".join(f"{count:,} {alert.value}" for alert, count in kinds.items() if alert is not None)
    return f"{len(found):,} of {tensors} need a look: {words}."


def weight_histogram(value: Tensor, name: str, *, height: int = 210) -> go.Figure:
    """How many entries of a tensor have which value (log count); zero is marked, NaN and infinity left out."""
    entries = value.detach().flatten().float().cpu()
    entries = entries[torch.isfinite(entries)]
    figure = go.Figure()
    if len(entries):
        low, high = (float(end) for end in entries.aminmax())
        first, last, bins = (low, high, _BINS) if high > low else (low - 0.5, low + 0.5, 1)
        edges = np.linspace(first, last, bins + 1)
        counts = torch.histc(entries, bins, first, last).tolist()
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2, y=counts, width=edges[1] - edges[0],
            marker={"color": ACCENT, "line": {"width": 0}},
            hovertemplate="value %{x:.3g}<br>%{y:,} entries<extra></extra>",
        )  # fmt: skip
        if low < 0 < high:
            figure.add_vline(x=0, line={"color": GREY, "width": 1, "dash": "dot"})
    calm(figure, x=f"value of {name.rpartition('.')[2]}", y="entries (log)", height=height)
    figure.update_layout(bargap=0)
    figure.update_yaxes(type="log", dtick=1)
    return figure


def magnitude_figure(numbers: Sequence[WeightStatistics], selected: int, *, height: int = 210) -> go.Figure:
    """Greatest magnitude (log) of every tensor in the order of the table; alerts and the selected one stand out."""
    figure = go.Figure()
    groups = (
        ("no alert", ACCENT, 5, [n for n, one in enumerate(numbers) if one.alert is None]),
        ("alert", LOST, 8, [n for n, one in enumerate(numbers) if one.alert is not None]),
        ("selected", SELECTED, 11, [selected]),
    )
    for name, color, size, places in groups:
        figure.add_scatter(
            x=places, y=[numbers[place].largest for place in places], mode="markers", name=name,
            marker={"color": color, "size": size, "line": {"width": 0}},
            text=[numbers[place].name for place in places],
            hovertemplate="%{text}<br>greatest magnitude %{y:.3g}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=EXPLODING, line={"color": LOST, "width": 1, "dash": "dot"})
    calm(figure, x="tensor, in the order of the table", y="greatest magnitude (log)", height=height)
    figure.update_yaxes(type="log", dtick=1, tickformat=".3~g")
    return figure
