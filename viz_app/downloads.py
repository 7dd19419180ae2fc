"""Download buttons: each file is made when its button is clicked, so that pages stay quick.

Streamlit keeps what a button would call for minutes after its session has ended: images and traces are held weakly.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import ReferenceType

import pandas as pd
import streamlit as st

from viz_app import state

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from pandas.io.formats.style import Styler
    from torch import Tensor

    from detector.tracing.trace import Trace
    from viz_app.figures.picture import BoxGroup

Held = TypeVar("Held")
_TABLES = "tables to download"


@dataclass(slots=True)
class _Shelf:
    """Tables of one session's page.

    Args:
        latest: each table as it was drawn last; buttons look here when they are clicked.
        beside: keys of those drawn since the picture before.
    """

    latest: dict[str, pd.DataFrame] = field(default_factory=dict)
    beside: dict[str, None] = field(default_factory=dict)


def clear_tables() -> None:
    """A page is about to be drawn from its beginning: forget the tables of the one before."""
    state.remember(_TABLES, _Shelf())


def note_table(key: str, table: pd.DataFrame | Styler) -> None:
    """A table is drawn: the next picture's downloads offer it, too."""
    shelf: _Shelf = state.remembered(_TABLES, _Shelf())
    name = ".".join(key.split(".")[:2])
    shelf.latest[name] = table if isinstance(table, pd.DataFrame) else table.data  # type: ignore[attr-defined]
    shelf.beside[name] = None
    state.remember(_TABLES, shelf)


def offer(key: str, pixels: Tensor, groups: Sequence[BoxGroup], overlay: Tensor | None) -> None:
    """A folded list of what can be taken away: a picture, and the tables drawn beside it.

    Args:
        key: of the picture, such as `rpn.picture`; names the files, too.
        pixels, groups, overlay: as `show_picture` takes them.
    """
    shelf: _Shelf = state.remembered(_TABLES, _Shelf())
    with st.popover("Download", icon=":material/download:", type="tertiary"):
        shown = (key, weakref.ref(pixels), groups, overlay)
        _button("Picture (PNG)", "png", key, "image/png", partial(_png, *shown))
        _button("Figure (HTML, with hover)", "html", key, "text/html", partial(_html, *shown))
        for name in shelf.beside:
            label = name.partition(".")[2].replace("_", " ") or name
            make = partial(_csv, shelf, name)
            _button(f"Table: {label} (CSV)", "csv", f"{key}.{name}", "text/csv", make, name)
    shelf.beside.clear()


def offer_chart(key: str, figure: go.Figure) -> None:
    """A button without words that saves a chart as a web page.

    Args:
        key: of the chart, such as `rpn.recall`; its first two parts name the file.
        figure: as it is drawn.
    """
    name = re.sub(r"\W+", "_", ".".join(key.split(".")[:2]))
    st.download_button(
        "Save the chart (HTML)",
        partial(_chart, figure, _chart_title(key)),
        f"{name}.html",
        "text/html",
        key=f"download.{key}.chart",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def offer_trace(trace: Trace) -> None:
    """A button that saves everything that was captured of an image, to be opened later without the model."""
    name = re.sub(r"[^\w.-]+", "_", Path(trace.input.name).stem) or "image"
    st.download_button(
        "save this trace",
        partial(_trace, weakref.ref(trace)),
        f"{name}.trace",
        "application/octet-stream",
        key="download.trace",
        on_click="ignore",
        type="tertiary",
        help="Everything the image went through, as one file: open it here later, without the model.",
    )


def _button(
    label: str, ending: str, key: str, mime: str, make: Callable[[], bytes], name: str | None = None
) -> None:
    name = f"{(name or key).replace('.', '_')}.{ending}"
    st.download_button(
        label, make, name, mime, key=f"download.{key}.{ending}", on_click="ignore", width="stretch"
    )


# Imported when a button is clicked: drawing and plotly's own script are of no use before.
def _png(
    title: str, pixels: ReferenceType[Tensor], groups: Sequence[BoxGroup], overlay: Tensor | None
) -> bytes:
    from viz_app.figures.exports import picture_sheet, sheet_png

    return sheet_png(picture_sheet(_title(title), _alive(pixels), groups, overlay))


def _html(
    title: str, pixels: ReferenceType[Tensor], groups: Sequence[BoxGroup], overlay: Tensor | None
) -> bytes:
    from viz_app.figures.exports import picture_sheet, sheet_page

    return sheet_page(picture_sheet(_title(title), _alive(pixels), groups, overlay))


def _csv(shelf: _Shelf, name: str) -> bytes:
    from viz_app.figures.exports import table_csv

    return table_csv(shelf.latest[name])


def _chart(figure: go.Figure, title: str) -> bytes:
    from viz_app.figures.exports import chart_page

    return chart_page(figure, title)


def _trace(trace: ReferenceType[Trace]) -> bytes:
    from viz_app.figures.exports import trace_bytes

    return trace_bytes(_alive(trace))


def _alive(reference: ReferenceType[Held]) -> Held:
    held = reference()
    if held is None:
        raise ValueError("The image is not open any more; choose it again and download then")
    return held


def _chart_title(key: str) -> str:
    """Page and chart, the first two parts of a key: `Evaluate: confusion`."""
    return ": ".join((_title(key), *key.split(".")[1:2])).replace("_", " ")


def _title(key: str) -> str:
    return key.partition(".")[0].replace("_", " ").capitalize().replace("Rpn", "RPN").replace("rcnn", "R-CNN")
