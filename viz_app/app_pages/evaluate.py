"""Evaluate: how good a detector is on a data set, by COCO's numbers, by class, by size, by score and by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources
from viz_app.app_pages.dataset_charts import show_charts
from viz_app.app_pages.dataset_choice import survey
from viz_app.app_pages.dataset_gallery import show_gallery_card
from viz_app.app_pages.dataset_run import choose_run, show_progress
from viz_app.app_pages.dataset_shown import ShownRun, read_run
from viz_app.app_pages.evaluate_cells import show_cell
from viz_app.app_pages.evaluate_charts import show_confusion, show_precision, show_scores
from viz_app.app_pages.evaluate_exports import show_exports
from viz_app.app_pages.evaluate_images import show_images
from viz_app.app_pages.evaluate_numbers import show_numbers
from viz_app.figures.words import plural
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Evaluation
    from viz_app.scene import Scene

_ABOUT = """
A diagnosis looks at every image of the data set once, and answers:

- **how good**: COCO's average precision, as a whole, by class and by size;
- **at what price**: precision against recall, class by class, and whether a score means what it says;
- **what is mixed up**: which class is taken for which, each cell with its very objects;
- **where to look**: the worst images and the best ones, and where inside the detector objects are lost.
"""


def render(scene: Scene | None) -> None:
    """Draw the page; it is about no single image, so it opens without one, too."""
    name = choose_run(scene)
    if name is None:
        with st.container(border=True):
            st.subheader("Not evaluated yet", anchor=False)
            st.markdown(_ABOUT)
        return
    if not show_progress(name):
        return
    run = read_run(name)
    evaluation = None if run is None else _evaluation(run)
    if run is not None and evaluation is not None:
        _result(run, evaluation, scene)


def _evaluation(run: ShownRun) -> Evaluation | None:
    try:
        return resources.evaluation(run.folder)
    except (OSError, ValueError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return None


def _result(run: ShownRun, evaluation: Evaluation, scene: Scene | None) -> None:
    show_numbers(run, evaluation)
    if run.summary.caution:
        st.warning(literal(run.summary.caution), icon=":material/warning:")
    if evaluation.objects == 0:
        images = plural(run.summary.images, "image")
        st.info(
            f"There is no object in the {images} that the detector could find, so there is nothing to judge."
        )
        return
    # Where a number of a class or a size was clicked, its lost objects come right below it.
    narrowed = survey().part is None and (survey().category is not None or survey().size is not None)
    left, right = st.columns(2, gap="small")
    with left:
        show_precision(run, evaluation)
    with right:
        show_scores(run, evaluation)
    if narrowed:
        show_gallery_card(run, scene)
    show_confusion(run, evaluation)
    show_cell(run, evaluation)
    show_images(run, evaluation)
    show_charts(run)
    if not narrowed:
        show_gallery_card(run, scene)
    show_exports(run)
