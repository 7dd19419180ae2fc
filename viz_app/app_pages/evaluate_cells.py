"""What lies in one cell of the confusion matrix: each object with the very detection that it got."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.app_pages.dataset_gallery import Cards, legend_words, open_image, show_cards
from viz_app.figures.confusion import cell_words
from viz_app.figures.confusion_cards import confusion_items
from viz_app.problems import as_sentence, literal
from viz_app.survey import numbers_of

if TYPE_CHECKING:
    from detector.judging.confusion_cells import ConfusedPair
    from detector.judging.evaluation_records import Evaluation
    from viz_app.app_pages.dataset_shown import ShownRun
    from viz_app.figures.gallery_cards import Item


def show_cell(run: ShownRun, evaluation: Evaluation) -> None:
    """The card of the cell that was clicked; nothing where none was."""
    cell = survey().cell
    if cell is None:
        return
    row, column = numbers_of(cell)
    confusion = evaluation.confusion
    with st.container(border=True):
        if max(row, column) >= len(confusion.categories) or row == column == 0:
            st.caption("The link names a cell that this matrix does not have: click another one.")
            return
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(literal(cell_words(confusion, row, column)), anchor=False, width="content")
            st.button(
                "Close", key="evaluate.close", icon=":material/close:", type="tertiary", on_click=look_at,
                kwargs={"cell": None},
            )  # fmt: skip
        pairs = [
            pair
            for pair in resources.confused_pairs(run.folder, confusion.score, confusion.iou)
            if (pair.true, pair.found) == (row, column)
        ]
        cards = Cards(
            len(pairs), lambda which: _made(run, evaluation, pairs[which]), f"{run.name}.cell.{cell}", "cell"
        )
        show_cards(cards, lambda item: open_image(run, item.image, item.selected, "why"), legend_words(run))


def _made(run: ShownRun, evaluation: Evaluation, pairs: list[ConfusedPair]) -> list[Item]:
    errors = run.errors
    places = zip(errors["image_index"], errors["detection"], errors["anchor"], strict=True)
    anchors = {(int(image), int(detection)): int(anchor) for image, detection, anchor in places}
    try:
        return confusion_items(pairs, resources.dataset(run.source), evaluation.categories, anchors)
    except (OSError, ValueError, IndexError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return []
