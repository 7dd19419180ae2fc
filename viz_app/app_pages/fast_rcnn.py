"""Fast R-CNN: RoIs through the second stage, one by one and all together, and the class slots they become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages import (
    fast_rcnn_all,
    fast_rcnn_embedding,
    fast_rcnn_roi,
    fast_rcnn_slots,
    fast_rcnn_training,
)
from viz_app.app_pages.fast_rcnn_explained import explain_fast_rcnn
from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.parts import show_picture
from viz_app.app_pages.shown import Shown

if TYPE_CHECKING:
    from viz_app.scene import Scene


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at the second stage.

    Args:
        beside: draws controls and a table beside the picture; says what is to be drawn on it.
        above: draws controls above the picture, if there are any; what they add to the picture.
        below: draws what belongs under both.
    """

    beside: Callable[[Scene], Shown]
    above: Callable[[Scene], Shown] | None = None
    below: Callable[[Scene], None] | None = None


_VIEWS = {
    "One RoI": View(fast_rcnn_roi.beside, fast_rcnn_roi.above, fast_rcnn_roi.below),
    "Levels": View(fast_rcnn_all.levels, below=fast_rcnn_all.below_levels),
    "Refinement": View(fast_rcnn_all.refinement),
    "Class slots": View(fast_rcnn_slots.beside, below=fast_rcnn_slots.below),
    "Embedding": View(fast_rcnn_embedding.beside),
    "Near an object": View(fast_rcnn_all.near_object),
    "Training samples": View(fast_rcnn_training.beside, below=fast_rcnn_training.below),
}


def render(scene: Scene) -> None:
    """Draw the page."""
    if len(scene.replay.head.boxes) == 0:
        st.info(
            "No proposal reached the second stage. Raise the RPN's top-n or lower its score in the sidebar; "
            "the RPN page shows what removed them."
        )
        return
    _stage(scene)


# A fragment: choosing a view, a RoI or a channel draws this page again and nothing else.
@fragment
def _stage(scene: Scene) -> None:
    name = st.segmented_control(
        "View",
        list(_VIEWS),
        default="One RoI",
        required=True,
        key="fast_rcnn.view",
        persist_state="session",
        label_visibility="collapsed",
    )
    view = _VIEWS[name or "One RoI"]
    left, right = st.columns([0.5, 0.5], gap="medium")
    with right, st.container(border=True, height="stretch"):
        shown = view.beside(scene)
    with left, st.container(border=True, height="stretch"):
        added = view.above(scene) if view.above else Shown()
        groups = [*added.groups, *shown.groups]
        show_picture(
            scene.trace.input.pixels,
            groups,
            key="fast_rcnn.picture",
            overlay=shown.overlay,
            scale=shown.scale,
        )
    if view.below:
        view.below(scene)
    _explain(scene)


def _explain(scene: Scene) -> None:
    roi = fast_rcnn_roi.shown_roi(scene)
    with st.expander(f"What happens here to RoI {roi}"):
        st.markdown(explain_fast_rcnn(scene, roi, fast_rcnn_roi.shown_label(scene, roi)))
