"""Data set: where the objects of a whole data set are lost, why, and what would bring them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages.dataset_advice import show_advice
from viz_app.app_pages.dataset_causes import report_of, show_causes
from viz_app.app_pages.dataset_charts import show_charts, show_numbers, show_oracle
from viz_app.app_pages.dataset_gallery import show_gallery_card
from viz_app.app_pages.dataset_run import choose_run, show_progress
from viz_app.app_pages.dataset_shown import ShownRun, read_run
from viz_app.figures.words import plural
from viz_app.problems import literal

if TYPE_CHECKING:
    from viz_app.scene import Scene

_ABOUT = """
Every image goes through the detector once, and what happened inside tells where each object was lost:

- **where**: how recall falls from step to step of the detector, by size and by class, each bar with its objects;
- **what kind**: wrong class, box too far off, found twice, missed, and what each of them costs;
- **what helps**: single changes of thresholds, each tried on all images, and anchors that fit the objects.

It runs in a process of its own: close the page, come back, stop it and go on as you like.
"""


def render(scene: Scene | None) -> None:
    """Draw the page; it is about no single image, so it opens without one, too."""
    name = choose_run(scene)
    if name is None:
        with st.container(border=True):
            st.subheader("Not diagnosed yet", anchor=False)
            st.markdown(_ABOUT)
        return
    if show_progress(name):
        run = read_run(name)
        if run is not None:
            _result(run, scene)


def _result(run: ShownRun, scene: Scene | None) -> None:
    show_numbers(run)
    if run.summary.caution:
        st.warning(literal(run.summary.caution), icon=":material/warning:")
    if run.summary.objects == 0:
        st.info(
            "There is no object in these images that the detector could find, so nothing can be lost: "
            f"{plural(run.summary.images, 'image')} were looked at."
        )
        return
    show_causes(report_of(run.source) if run.of_sidebar else None, run)
    show_charts(run)
    show_gallery_card(run, scene)
    left, right = st.columns([0.42, 0.58], gap="small")
    with left:
        show_oracle(run)
    with right:
        show_advice(run, scene)
    _problems(run)


def _problems(run: ShownRun) -> None:
    problems = run.summary.problems
    if problems:
        with st.expander(f"{plural(len(problems), 'image')} could not be used", icon=":material/warning:"):
            st.dataframe(
                [{"image": problem.image, "why": problem.message} for problem in problems], hide_index=True
            )
