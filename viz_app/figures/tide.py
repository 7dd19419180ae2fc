"""D3: the errors of a data set by type (TIDE, Bolya et al. 2020), and what AP gains if one type were put right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.explaining.false_positives import TideType
from viz_app.figures.mechanisms import ranked_bars
from viz_app.figures.palette import ACCENT
from viz_app.figures.words import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    import plotly.graph_objects as go

    from detector.judging.summary import TideShare

TIDE_WORDS = {
    TideType.CLS: "right place, wrong class",
    TideType.LOC: "right class, box too far off",
    TideType.BOTH: "wrong class and box too far off",
    TideType.DUPE: "a second detection of a found object",
    TideType.BKG: "nothing is there",
    TideType.MISS: "an object that no such error explains",
}
"""What each type means, in a few words."""


def tide_figure(tide: Mapping[str, TideShare], chosen: str | None = None, height: int = 250) -> go.Figure:
    """What AP gains if the errors of a type were put right, with their count; `customdata` of a bar is the type.

    Args:
        tide: by type; one that is missing made no error.
        chosen: the type that is looked at; the others step back.
        height: in screen pixels.
    """
    names = [kind.value for kind in TideType]
    shares = [tide.get(name) for name in names]
    counts = [0 if share is None else share.count for share in shares]
    gains = [0.0 if share is None else share.gain for share in shares]
    return ranked_bars(
        names,
        gains,
        texts=[
            f"{gain:+.3f} · {count:,}" if count else "none" for gain, count in zip(gains, counts, strict=True)
        ],
        hover=[
            f"{name}: {plural(count, 'error')}, {TIDE_WORDS[TideType(name)]}; put right, AP changes by {gain:+.4f}"
            for name, count, gain in zip(names, counts, gains, strict=True)
        ],
        color=ACCENT,
        chosen=chosen,
        title="gain of AP at IoU 0.5 · number of errors",
        height=height,
    )
