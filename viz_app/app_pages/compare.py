"""Compare: two diagnoses of the same data set, object by object, and whether the difference is more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources
from viz_app.app_pages.compare_numbers import show_difference, show_exports, show_headline, show_transitions
from viz_app.app_pages.compare_objects import show_objects
from viz_app.app_pages.compare_pair import show_pair
from viz_app.app_pages.compare_runs import choose_pair
from viz_app.app_pages.compare_shown import ShownPair
from viz_app.app_pages.dataset_run import show_progress
from viz_app.app_pages.dataset_shown import read_run
from viz_app.figures.words import plural
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from viz_app.scene import Scene


def render(scene: Scene | None) -> None:
    """Draw the page; it is about no single image, so it opens without one, too."""
    names = choose_pair(scene)
    if names is None:
        return
    ready = [show_progress(name, slot) for name, slot in zip(names, ("run", "versus"), strict=True)]
    pair = _compared(*names) if all(ready) else None
    if pair is not None:
        _result(pair)


def _compared(a: str, b: str) -> ShownPair | None:
    runs = read_run(a), read_run(b)
    if runs[0] is None or runs[1] is None:
        return None
    try:
        return ShownPair(runs[0], runs[1], resources.comparison(runs[0].folder, runs[1].folder))
    except (OSError, ValueError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return None


def _result(pair: ShownPair) -> None:
    comparison = pair.comparison
    for run in (pair.a, pair.b):
        if run.summary.caution:
            st.warning(literal(run.summary.caution), icon=":material/warning:")
    if comparison.left_out:
        st.caption(f"{plural(comparison.left_out, 'image')} that one of the two could not use are left out.")
    if not comparison.objects:
        st.info("There is no object in these images, so nothing can be gained or lost.")
        return
    show_headline(comparison)
    left, right = st.columns([0.56, 0.44], gap="small")
    with left:
        show_transitions(pair)
    with right:
        show_difference(pair)
    show_objects(pair)
    show_pair(pair)
    show_exports(pair)
