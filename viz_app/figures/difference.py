"""The difference of AP between two runs with its interval: whether it is more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, FOUND, GREY, LOST
from viz_app.figures.words import plural

if TYPE_CHECKING:
    from detector.judging.comparison_records import Comparison


def difference_figure(comparison: Comparison, height: int = 130) -> go.Figure:
    """AP of B less AP of A as a dot, its interval as a bar, and a line where both are equal.

    Args:
        comparison: with a difference that is known, else the chart is empty.
        height: in screen pixels.
    """
    figure = go.Figure()
    interval, value = comparison.interval, comparison.difference
    figure.add_vline(x=0, line={"color": GREY, "width": 1.5, "dash": "dash"})
    if value is not None and interval.low is not None and interval.high is not None:
        color = GREY if not interval.is_sure else FOUND if value > 0 else LOST
        hover = (
            f"{_signed(value)}; {interval.confidence:.0%} interval {_signed(interval.low)} to "
            f"{_signed(interval.high)}"
        )
        figure.add_trace(
            go.Scatter(
                x=[interval.low, interval.high], y=[0, 0], mode="lines", hoverinfo="skip",
                line={"color": color, "width": 8}, opacity=0.45,
            )
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=[value], y=[0], mode="markers+text", text=[f"<b>{_signed(value)}</b>"], textposition="top center",
                marker={"size": 14, "color": ACCENT if not interval.is_sure else color},
                hovertext=[hover], hovertemplate="%{hovertext}<extra></extra>",
            )
        )  # fmt: skip
        reach = 1.25 * max(abs(interval.low), abs(interval.high), abs(value), 1e-3)
        figure.update_xaxes(range=[-reach, reach])
    calm(figure, x="AP of B − AP of A", height=height)
    figure.update_yaxes(visible=False, range=[-1, 1.6])
    figure.update_xaxes(nticks=7, tickformat="+.3~f")
    return figure


def difference_words(comparison: Comparison) -> str:
    """Whether B is better than A, in one or two sentences."""
    interval, value = comparison.interval, comparison.difference
    if value is None or interval.low is None or interval.high is None:
        return "There is no object in these images, so neither can be better."
    between = f"between {_signed(interval.low)} and {_signed(interval.high)}"
    if interval.low == interval.high == 0:
        return "Both have the same AP, whichever of these images are looked at."
    if not interval.is_sure:
        return (
            f"**That may be chance.** With other images like these, the difference lies {between} in "
            f"{interval.confidence:.0%} of the draws: zero is among them."
        )
    which = "B" if value > 0 else "A"
    return (
        f"**{which} has the better AP, and not by chance.** With other images like these, the difference lies "
        f"{between} in {interval.confidence:.0%} of the draws."
    )


def price_words(comparison: Comparison) -> str:
    """What AP hardly counts: that the better one makes more false detections; empty where it does not."""
    value = comparison.difference or 0.0
    more = comparison.false_positives_b - comparison.false_positives_a
    if value == 0 or more * value <= 0:
        return ""
    which = "B" if value > 0 else "A"
    return (
        f"It has its price: {which} makes {plural(abs(more), 'false detection')} more, which AP hardly counts "
        "where their scores are low."
    )


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
