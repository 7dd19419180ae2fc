"""Which data set is looked at: a text, checked as it is typed; the pages about data sets share it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources, state
from viz_app.figures.words import plural
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.data.coco import CocoDataset
    from detector.data.shapes import ShapesDataset
    from viz_app.survey import Survey

DEFAULT_DATA = "shapes:100:3"
_DATA = "dataset.source"


def survey() -> Survey:
    """What this session looks at of a data set."""
    return state.choice().survey


def look_at(**changes: str | None) -> None:
    """Look at another data set, diagnosis or part; the address follows at once."""
    state.choose(replace(state.choice(), survey=replace(survey(), **changes)))
    state.mirror_in_address()


def choose_dataset() -> str | None:
    """The data set that the field names; None while there is no such data set, which is said beneath it."""
    state.set_widget(_DATA, survey().data or DEFAULT_DATA)
    source = st.text_input(
        "Data set",
        key=_DATA,
        placeholder="folder/with/images, annotations.json or shapes:100:3",
        help="A folder with COCO annotations, a COCO JSON file, or `shapes:LENGTH:SEED` for drawn scenes.",
        on_change=_take,
    ).strip()
    return source or None


def opened(source: str) -> CocoDataset | ShapesDataset | None:
    """The data set; None where it cannot be opened, which is told."""
    try:
        return resources.dataset(source)
    except (OSError, ValueError, TypeError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return None


def size_words(dataset: CocoDataset | ShapesDataset) -> str:
    """Images and categories of a data set, such as `100 images, 6 categories`."""
    classes = len(dataset.categories) - 1
    return f"{plural(len(dataset), 'image')}, {classes:,} {'category' if classes == 1 else 'categories'}"


def _take() -> None:
    text = str(state.widget(_DATA) or "").strip()
    try:
        look_at(data=text or None, run=None, part=None, category=None, size=None)
    except ValueError:
        look_at(data=None)
