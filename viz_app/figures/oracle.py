"""D4: what AP would gain if a rung lost no object at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz_app.figures.mechanisms import ranked_bars
from viz_app.figures.palette import GREEN
from viz_app.figures.words import rung_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from detector.judging.summary import OracleGain

_ROW, _HEAD = 34, 62


def oracle_figure(gains: Sequence[OracleGain], chosen: str | None = None) -> go.Figure:
    """The gain of AP for each rung that lost an object, first rung on top; `customdata` of a bar is the rung.

    Args:
        gains: one for each rung that lost an object, at least one.
        chosen: the rung that is looked at; the others step back.
    """
    return ranked_bars(
        [rung_name(one.rung) for one in gains],
        [one.gain for one in gains],
        texts=[f"{one.gain:+.3f}" for one in gains],
        hover=[
            f"{rung_name(one.rung)}: if it lost nothing, AP would be {_number(one.AP)}, AP50 {_number(one.AP50)}"
            for one in gains
        ],
        color=GREEN,
        chosen=chosen,
        title="gain of AP, if the rung were perfect",
        height=_HEAD + _ROW * len(gains),
        keys=[one.rung for one in gains],
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
