"""A chart on a page: drawn, answering clicks where it is asked to, and ready to be taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

from viz_app import downloads, state
from viz_app.figures.names_as_text import names_as_text
from viz_app.figures.picture import CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go


def show_chart(
    figure: go.Figure,
    *,
    key: str,
    on_select: Callable[[], None] | None = None,
    scroll_zoom: bool = False,
    width: int | Literal["stretch", "content"] = "stretch",
) -> None:
    """A chart, and a small button in its corner that saves it as a web page with everything that it answers.

    Args:
        figure: plotly's.
        key: of the widget, such as `rpn.recall`; its first two parts name the file.
        on_select: called when points are clicked; `state.selected_points(key)` tells which.
        scroll_zoom: the wheel zooms.
        width: as `st.plotly_chart` takes it.
    """
    names_as_text(figure)
    with st.container(key=f"chart {key}"):
        st.plotly_chart(
            figure,
            config={**CONFIG, "scrollZoom": scroll_zoom},
            key=key,
            on_select=on_select or "ignore",
            selection_mode="points",
            width=width,
        )
        downloads.offer_chart(key, figure)


def show_picker(figure: go.Figure, *, key: str, on_pick: Callable[[str], None]) -> None:
    """A chart whose parts can be clicked.

    Args:
        figure: plotly's; parts whose `customdata` is an empty text answer no click.
        key: of the widget; it should change with what is chosen, so that the same part can be clicked again.
        on_pick: told the `customdata` of the part.
    """
    show_chart(figure, key=key, on_select=lambda: _pick(key, on_pick))


def _pick(key: str, on_pick: Callable[[str], None]) -> None:
    for point in state.selected_points(key):
        data = point.get("customdata")
        text = data[0] if isinstance(data, list) and data else data
        if text:
            on_pick(str(text))
            return
