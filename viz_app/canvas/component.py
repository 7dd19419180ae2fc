"""The canvas in the running app: one component for every picture with boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.components.v2 import component

from viz_app.canvas.events import CanvasEvent, Pick, boxes_at, read_event
from viz_app.canvas.packet import MOST_DRAWN, pack
from viz_app.canvas.source import markup, script, style

if TYPE_CHECKING:
    from torch import Tensor

    from viz_app.canvas.candidates import Preview
    from viz_app.figures.picture import BoxGroup

_MOST_PICKED = 100


_canvas = component(
    "boxscope_canvas",
    html=markup(),
    css=style(),
    js=script(),
)


def show_canvas(
    pixels: Tensor,
    groups: Sequence[BoxGroup],
    *,
    key: str,
    overlay: Tensor | None = None,
    selected: tuple[int, int] | None = None,
    preview: Preview | None = None,
    draw: bool = False,
    linked: str | None = None,
    on_event: Callable[[CanvasEvent], None] | None = None,
) -> CanvasEvent:
    """Draw a picture and say what was done on it since the last run.

    Args:
        pixels: uint8 [3, H, W].
        groups: drawn in this order, later ones on top. Those with hover texts or items can be picked.
        key: of the widget.
        overlay: uint8 [h, w, 4] RGBA, stretched over the image, beneath the boxes.
        selected: (group, place in the group) of the box to point out.
        preview: candidates whose score and NMS thresholds can be moved on the canvas.
        draw: the page wants boxes drawn: dragging draws one, and a button of the canvas switches back to panning.
        linked: pictures of this name on a page are moved and zoomed together.
        on_event: called before the page is drawn again, so that all of it can follow.
    """
    groups = list(groups)

    def report() -> None:
        if on_event is not None:
            on_event(_read(st.session_state.get(key), groups))

    packet = pack(
        pixels, groups, overlay=overlay, selected=selected, preview=preview, draw=draw, linked=linked
    )
    state = _canvas(
        key=key, data=packet, on_pick_change=report, on_drawn_change=report, on_thresholds_change=report
    )
    return _read(state, groups)


def _read(state: Any, groups: Sequence[BoxGroup]) -> CanvasEvent:  # noqa: ANN401 - Streamlit's own record
    event = read_event(state, groups)
    if event.pick is None or event.pick.x < 0 or sum(map(len, groups)) <= MOST_DRAWN:
        return event
    # Boxes that were sent as one picture are known here only.
    boxes = boxes_at(groups, event.pick.x, event.pick.y)
    if not boxes:
        return event
    return CanvasEvent(
        Pick(event.pick.x, event.pick.y, boxes[:_MOST_PICKED], 0), event.drawn, event.thresholds
    )
