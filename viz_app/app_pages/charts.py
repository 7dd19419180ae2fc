"""A chart on a page: drawn, answering clicks where it is asked to, and ready to be taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

from viz_app import downloads
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
