"""The RPN's outputs as charts: scores, deltas, and where its boxes lie.

Shapes: `N` anchors, `n` boxes.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from detector.tracing.filters import ProposalFate
from detector.tracing.replay import Replay
from viz_app.figures.charts import GRID, calm
from viz_app.figures.palette import GREEN, GREY, ORANGE, PURPLE, fate_color

_BINS = 40
DELTAS = ("dx", "dy", "dw", "dh")


def objectness_histogram(replay: Replay) -> go.Figure:
    """How many anchors have which objectness: all of them, and those that became proposals. Log count."""
    scores = replay.proposals.scores.float().cpu().numpy()
    figure = go.Figure(_bars(scores, replay, (0.0, 1.0), "objectness"))
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(type="log")
    return calm(figure, x="objectness probability", y="anchors (log)")


def delta_histograms(replay: Replay) -> go.Figure:
    """Four histograms, of dx, dy, dw and dh: all anchors, and those that became proposals. Log count."""
    figure = make_subplots(1, 4, shared_yaxes=True, horizontal_spacing=0.03)
    for place, name in enumerate(DELTAS):
        values = replay.trace.rpn.deltas[:, place].float().cpu().numpy()
        for bars in _bars(values, replay, _range(values), name):
            figure.add_trace(bars, row=1, col=place + 1)
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(type="log")
    calm(figure)
    for place, name in enumerate(DELTAS):
        figure.update_xaxes(title=name, nticks=4, tickangle=0, row=1, col=place + 1)
    figure.update_yaxes(title="anchors (log)", row=1, col=1)
    return figure


def _bars(values: np.ndarray, replay: Replay, ends: tuple[float, float], name: str) -> list[go.Bar]:
    """All N values grey, and those of the proposals blue on top, in equal bins between two ends."""
    width = (ends[1] - ends[0]) / _BINS
    middles = ends[0] + width * (np.arange(_BINS) + 0.5)
    kept = values[replay.proposals.kept.cpu().numpy()]
    parts = []
    for part, what, color in (
        (values, "all anchors", GREY),
        (kept, "proposals", fate_color(ProposalFate.KEPT)),
    ):
        template = f"{name} %{{x:.3f}} ± {width / 2:.3f}<br>%{{y:,}} {what}<extra></extra>"
        parts.append(
            go.Bar(
                x=middles, y=np.histogram(part, _BINS, ends)[0], width=width, name=what,
                marker={"color": color, "line": {"width": 0}}, opacity=0.55 if color == GREY else 1,
                hovertemplate=template,
            )
        )  # fmt: skip
    return parts


def _range(values: np.ndarray) -> tuple[float, float]:
    """Both ends of an axis that shows all values and 0, and that is never empty."""
    finite = values[np.isfinite(values)]
    low, high = (0.0, 0.0) if len(finite) == 0 else (float(finite.min()), float(finite.max()))
    low, high = min(low, 0.0), max(high, 0.0)
    # A little over the largest value: rounding must not push it out of the last bin.
    margin = 1e-3 * (high - low) or 1.0
    return low - margin, high + margin


def places_figure(boxes: Tensor, image_size: tuple[int, int]) -> go.Figure:
    """Where boxes lie: their first corners, centres and last corners, over an empty image.

    Args:
        boxes: float [n, 4], image frame.
        image_size: (H, W).
    """
    x1, y1, x2, y2 = boxes.detach().cpu().double().numpy().T
    height, width = image_size
    figure = go.Figure()
    figure.add_shape(type="rect", x0=0, y0=0, x1=width, y1=height, line={"color": GRID, "width": 1})
    for name, xs, ys, color, symbol in (
        ("top-left corner", x1, y1, GREEN, "triangle-nw"),
        ("bottom-right corner", x2, y2, PURPLE, "triangle-se"),
        ("centre", (x1 + x2) / 2, (y1 + y2) / 2, ORANGE, "circle"),
    ):
        figure.add_scatter(
            x=xs, y=ys, mode="markers", name=name, opacity=0.7,
            marker={"color": color, "size": 6, "symbol": symbol},
            hovertemplate=f"{name} (%{{x:.1f}}, %{{y:.1f}})<extra></extra>",
        )  # fmt: skip
    calm(figure, x="x, px, image frame", y="y, px, image frame", height=380)
    margin = 0.03 * max(height, width)
    figure.update_xaxes(range=[-margin, width + margin], constrain="domain")
    figure.update_yaxes(range=[height + margin, -margin], scaleanchor="x", constrain="domain")
    figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    return figure
