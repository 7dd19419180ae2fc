"""RPN: one view at a time of anchors, scores, the strongest, the filters, the objects and the training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.parts import show_picture
from viz_app.app_pages.rpn_anchors import anchors_view
from viz_app.app_pages.rpn_explained import explain_rpn
from viz_app.app_pages.rpn_filters import filters_view
from viz_app.app_pages.rpn_objects import objects_view
from viz_app.app_pages.rpn_scores import objectness_view, strongest_view
from viz_app.app_pages.rpn_training import training_samples_view

if TYPE_CHECKING:
    from viz_app.app_pages.rpn_parts import Drawn
    from viz_app.scene import Scene

VIEWS: dict[str, Callable[[Scene], Drawn]] = {
    "Anchors": anchors_view,
    "Scores": objectness_view,
    "Top-k": strongest_view,
    "Filters": filters_view,
    "Objects": objects_view,
    "Training": training_samples_view,
}
_FIRST = "Filters"


def render(scene: Scene) -> None:
    """Draw the page."""
    _stage(scene)


# A fragment: choosing a view, a level or a row draws this page again and nothing else.
@fragment
def _stage(scene: Scene) -> None:
    left, right = st.columns([0.46, 0.54], gap="small")
    with right, st.container(border=True, height="stretch"):
        view = st.segmented_control(
            "View",
            list(VIEWS),
            default=_FIRST,
            required=True,
            key="rpn.view",
            persist_state="session",
            label_visibility="collapsed",
        )
        drawn = VIEWS[view or _FIRST](scene)
    with left, st.container(border=True, height="stretch"):
        show_picture(
            scene.trace.input.pixels,
            drawn.groups,
            key="rpn.picture",
            overlay=drawn.overlay,
            scale=drawn.scale,
            on_pick=drawn.picked,
        )
    if drawn.below is not None:
        drawn.below()
    with st.expander("What happens here"):
        st.markdown(explain_rpn(scene))
