"""Train: watch runs while they learn, lay them over one another, look inside, stop them and let them go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import state
from viz_app.app_pages.train_probes import show_probes
from viz_app.app_pages.train_run import show_run, show_run_by_itself
from viz_app.app_pages.train_runs import show_runs
from viz_app.app_pages.train_shown import PROBES, XRAY, mark_of, shown_run, shown_view
from viz_app.app_pages.train_xray import show_xray
from viz_app.jobs.training import every_run
from viz_app.sidebar.training import open_panel

if TYPE_CHECKING:
    from viz_app.scene import Scene

_ABOUT = """
A run starts from the detector of the sidebar, or from scratch, and goes on in a process of its own: close the page,
restart the app, come back. While it learns you see

- **how** it learns: the four losses, the learning rate, the gradient before it is clipped;
- **where** it gets better: AP, and the rung at which the objects of the validation set are still lost;
- **what** it sees: a time machine over the epochs on a few images, and an x-ray of what a step sampled.
"""


def render(scene: Scene | None) -> None:
    """Draw the page; it is about no single image, so it opens without one, too."""
    del scene
    runs = every_run()
    if not runs:
        with st.container(border=True):
            st.subheader("Nothing was trained yet", anchor=False)
            st.markdown(_ABOUT)
            st.button(
                "Train a detector", type="primary", icon=":material/model_training:", key="train.first",
                on_click=open_panel,
            )  # fmt: skip
        return
    run = shown_run(runs)
    show_runs(runs, run)
    view, mark = shown_view(), mark_of(run.name, runs)
    if any(one.status is not None and one.status.is_alive for one in runs):
        show_run_by_itself(run.name, view, mark)
    else:
        show_run(run.name, view, mark)
    if view == PROBES:
        show_probes(run.name)
    elif view == XRAY:
        show_xray(run.name)
    state.mirror_in_address()
