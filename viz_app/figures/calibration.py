"""D7: whether scores mean what they say: of the detections of score 0.8, are 8 in 10 true?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from viz_app.figures.charts import GRID, calm
from viz_app.figures.palette import ACCENT, GREY, ORANGE, with_alpha
from viz_app.figures.words import plural

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Calibration, CalibrationBin

_FEW = 0.02


def calibration_figure(calibration: Calibration, height: int = 340) -> go.Figure:
    """The share of true detections by score above, how many there are below; on the dashed line all is well.

    Args:
        calibration: bins by score.
        height: in screen pixels.
    """
    known = [one for one in calibration.bins if one.accuracy is not None]
    figure = go.Figure(
        [
            go.Scatter(
                x=[0, 1], y=[0, 1], mode="lines", hoverinfo="skip",
                line={"color": GREY, "width": 1.5, "dash": "dash"},
            ),
            _bars(known, [one.accuracy or 0.0 for one in known], ACCENT),
            _gaps(known),
            _counts(known),
        ]
    )  # fmt: skip
    calm(figure, x="score", height=height)
    figure.update_layout(
        barmode="overlay", bargap=0,
        yaxis={"domain": [0.34, 1], "range": [0, 1.02], "title": "share of true ones", "nticks": 6},
        yaxis2={"domain": [0, 0.24], "title": "count", "gridcolor": GRID, "nticks": 3, "rangemode": "tozero"},
        xaxis={"range": [0, 1], "nticks": 11, "anchor": "y2"},
    )  # fmt: skip
    return figure


def calibration_words(calibration: Calibration) -> str:
    """What is seen in the diagram, in one sentence."""
    worst = worst_bin(calibration)
    if calibration.ECE is None or worst is None or worst.accuracy is None:
        return "There is no detection, and so no score to judge."
    side = "too sure" if worst.confidence > worst.accuracy else "too modest"
    return (
        f"On average a score is off by {calibration.ECE:.3f} (ECE, of {plural(calibration.count, 'detection')}). "
        f"Furthest off, and {side}, are scores of {worst.low:.1f} to {worst.high:.1f}: "
        f"{worst.accuracy:.0%} of these {worst.count:,} are true, their mean score is {worst.confidence:.2f}."
    )


def worst_bin(calibration: Calibration) -> CalibrationBin | None:
    """The bin that is furthest off; bins of less than a fiftieth of the detections count only if all are.

    None without detections.
    """
    known = [one for one in calibration.bins if one.accuracy is not None]
    filled = [one for one in known if one.count >= _FEW * calibration.count]
    return max(filled or known, key=lambda one: abs(one.confidence - (one.accuracy or 0.0)), default=None)


def _bars(bins: list[CalibrationBin], values: list[float], color: str) -> go.Bar:
    return go.Bar(
        x=[(one.low + one.high) / 2 for one in bins], y=values, width=[_width(one) for one in bins],
        marker={"color": with_alpha(color, 0.75), "line": {"width": 0}},
        hovertext=[_words(one) for one in bins], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _gaps(bins: list[CalibrationBin]) -> go.Bar:
    """From the share of true ones to the mean score."""
    return go.Bar(
        x=[(one.low + one.high) / 2 for one in bins], base=[one.accuracy for one in bins],
        y=[one.confidence - (one.accuracy or 0.0) for one in bins], width=[_width(one) for one in bins],
        marker={"color": with_alpha(ORANGE, 0.35), "line": {"color": ORANGE, "width": 1}},
        hovertext=[_words(one) for one in bins], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _counts(bins: list[CalibrationBin]) -> go.Bar:
    return go.Bar(
        x=[(one.low + one.high) / 2 for one in bins], y=[one.count for one in bins], yaxis="y2",
        width=[_width(one) for one in bins], marker={"color": with_alpha(GREY, 0.6), "line": {"width": 0}},
        text=[f"{one.count:,}" for one in bins], textposition="auto", textfont={"size": 10}, textangle=0,
        hovertext=[_words(one) for one in bins], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _width(one: CalibrationBin) -> float:
    return 0.94 * (one.high - one.low)


def _words(one: CalibrationBin) -> str:
    return (
        f"score {one.low:.2f} to {one.high:.2f}: {plural(one.count, 'detection')}"
        f"<br>mean score {one.confidence:.3f}, true {one.accuracy or 0.0:.1%}"
    )
