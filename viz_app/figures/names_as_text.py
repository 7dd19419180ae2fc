"""Names from files in a plotly chart: shown as they are, not taken for plotly's markup or templates.

Plotly runs nothing, but reads `<a href>`, `<br>`, `<b>` and more as markup and drops other tags, so that a category
called `<img ...>` would be nowhere to be seen.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import plotly.graph_objects as go

# The markup that the charts of this project use; in names and on axes only line breaks.
_OWN = re.compile(r"<(?!(?:br|b|/b|extra|/extra)>)")
_BREAKS = re.compile(r"<(?!br>)")
_WORDS = ("text", "hovertext", "hovertemplate", "texttemplate")
_NAMES = ("name", "x", "y", "labels")
_AXIS = ("ticktext", "categoryarray")


def as_text(name: str) -> str:
    """A name as a part of a `hovertemplate`: shown as it is."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace("%{", "%&#123;")


def names_as_text(figure: go.Figure) -> go.Figure:
    """Leave a chart no markup but the project's own, in place, and return it; twice does no harm."""
    for trace in figure.data:
        for keys, markup in ((_WORDS, _OWN), (_NAMES, _BREAKS)):
            _replace(trace, [key for key in keys if key in trace], markup)
    for annotation in figure.layout.annotations:
        _replace(annotation, ["text"], _OWN)
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        _replace(axis, _AXIS, _BREAKS)
    return figure


def _replace(place: Any, keys: Any, markup: re.Pattern[str]) -> None:  # noqa: ANN401 - plotly's own records
    for key in keys:
        value = place[key]
        if isinstance(value, str):
            changed: Any = _escaped(value, markup)
        elif isinstance(value, (list, tuple, np.ndarray)) and _holds_text(value):
            changed = [_escaped(one, markup) if isinstance(one, str) else one for one in value]
        else:
            continue
        if isinstance(changed, str) and changed == value:
            continue
        place[key] = changed


def _holds_text(values: Any) -> bool:  # noqa: ANN401
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OUS":
        return False
    return any(isinstance(one, str) and "<" in one for one in values)


def _escaped(text: str, markup: re.Pattern[str]) -> str:
    return markup.sub("&lt;", text)
