"""The detector as a tree of its parts, with what each takes in, gives out and costs on one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from viz_app.figures.palette import ACCENT, GREEN, GREY, ORANGE, PURPLE, text_on
from viz_app.figures.words import shape_words

if TYPE_CHECKING:
    from detector.tracing.profile import PartProfile, Profile, Shape

DEEPEST = 3
"""Parts nested deeper than this are counted in what holds them."""

_INDENT = "\u2003"
_MOST_SHAPES = 3
_STAGE_COLORS = {"transform": GREY, "backbone": ACCENT, "rpn": ORANGE, "roi_heads": GREEN}
_WHOLE = "#5B6470"
_MEBI = 2**20


def shown_parts(profile: Profile, deepest: int = DEEPEST) -> tuple[PartProfile, ...]:
    """The parts to `deepest` levels below the model, in the order in which they ran, the model left out."""
    return tuple(part for part in profile.parts if 1 <= part.depth <= deepest)


def module_table(profile: Profile, deepest: int = DEEPEST) -> pd.DataFrame:
    """One row for each part; nested names are indented, `time` and `memory` are shares of the whole model.

    Memory is that of the activations, the tensors that the layers made.
    """
    parts, whole = shown_parts(profile, deepest), profile.whole
    return pd.DataFrame(
        {
            "part": [_INDENT * (part.depth - 1) + part.name.rsplit(".", 1)[-1] for part in parts],
            "module": [part.kind for part in parts],
            "input": [shapes_words(part.inputs) for part in parts],
            "output": [shapes_words(part.outputs) for part in parts],
            "runs": [part.calls for part in parts],
            "time": [_share(part.seconds, whole.seconds) for part in parts],
            "ms": [part.seconds * 1000 for part in parts],
            "memory": [_share(part.activation_bytes, whole.activation_bytes) for part in parts],
            "MiB": [part.activation_bytes / _MEBI for part in parts],
            "parameters": [part.parameters for part in parts],
            "trainable": [part.trainable for part in parts],
        }
    )


def shapes_words(shapes: tuple[Shape, ...]) -> str:
    """Shapes of some tensors, such as `1 × 64 × 32 × 32`; of many, the first ones and how many more."""
    shown = "; ".join(shape_words(shape) or "one number" for shape in shapes[:_MOST_SHAPES])
    more = len(shapes) - _MOST_SHAPES
    return f"{shown}; {more} more" if more > 0 else shown


def time_figure(profile: Profile, deepest: int = DEEPEST, height: int = 240) -> go.Figure:
    """Where the time of this forward went: the stages as blocks, what is nested in each to its right."""
    whole = profile.whole
    shown = shown_parts(profile, deepest)
    names = {part.name for part in shown}
    icicle = go.Icicle(
        ids=["model", *(part.name for part in shown)],
        labels=[whole.kind, *(part.name.rsplit(".", 1)[-1] for part in shown)],
        parents=["", *(_parent(part, names) for part in shown)],
        values=[part.seconds * 1000 for part in (whole, *shown)],
        branchvalues="total",
        marker={"colors": [_WHOLE, *(_color(part) for part in shown)]},
        insidetextfont={"color": [text_on(_WHOLE), *(text_on(_color(part)) for part in shown)]},
        text=[_hover(part, whole) for part in (whole, *shown)],
        hovertemplate="%{text}<extra></extra>",
        texttemplate="%{label}  %{percentRoot:.0%}",
        tiling={"orientation": "h"},
        sort=False,
    )
    figure = go.Figure(icicle)
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 4, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        uniformtext={"minsize": 10, "mode": "hide"},
    )
    return figure


def _parent(part: PartProfile, names: set[str]) -> str:
    """The nearest part around it that ran itself; a mere list of layers does not."""
    outer = part.name
    while "." in outer:
        outer = outer.rpartition(".")[0]
        if outer in names:
            return outer
    return "model"


def _hover(part: PartProfile, whole: PartProfile) -> str:
    share = _share(part.seconds, whole.seconds)
    runs = "" if part.calls == 1 else f" in {part.calls} runs"
    return (
        f"<b>{part.name or 'the whole model'}</b> {part.kind}<br>{part.seconds * 1000:,.1f} ms{runs}, {share:.0%}"
        f"<br>{shapes_words(part.inputs)} → {shapes_words(part.outputs)}"
        f"<br>{part.parameters:,} parameters, {part.activation_bytes / _MEBI:,.1f} MiB of activations"
    )


def _color(part: PartProfile) -> str:
    return _STAGE_COLORS.get(part.name.partition(".")[0], PURPLE)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
