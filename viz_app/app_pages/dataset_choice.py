"""Which data set is looked at: a text, checked as it is typed, or one of a list; all pages about data share it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources, state
from viz_app.bundled import sample_images_folder
from viz_app.figures.words import plural
from viz_app.jobs.readable import WHERE_READ, named_source
from viz_app.jobs.session_folder import is_of_session, kept
from viz_app.jobs.workspace import dataset_names, datasets_folder
from viz_app.problems import as_sentence, literal
from viz_app.survey import Survey

if TYPE_CHECKING:
    from detector.data.datasets import AnyDataset

DEFAULT_DATA = "shapes:100:3"
MOST_OFFERED = 40
UPLOADED = "uploaded data sets"
"""Under which a session remembers what it has uploaded: label by the text that opens it."""
_DATA = "dataset.source"


def survey() -> Survey:
    """What this session looks at of a data set."""
    return state.choice().survey


def look_at(**changes: str | None) -> None:
    """Look at another data set, diagnosis or part; the address follows at once."""
    state.choose(replace(state.choice(), survey=replace(survey(), **changes)))
    state.mirror_in_address()


def look_at_dataset(source: str | None) -> None:
    """Look at another data set, and at all of it; at the first one where the text can be no data set."""
    try:
        asked = Survey(data=source)
    except ValueError:
        asked = Survey()
    state.choose(replace(state.choice(), survey=asked))
    state.mirror_in_address()


def offered_datasets() -> dict[str, str]:
    """Data sets at hand, as `open_dataset` takes them, each with its label."""
    folder = datasets_folder()
    at_hand = {DEFAULT_DATA: "Drawn scenes", str(sample_images_folder()): "Bundled sample images"}
    uploaded: dict[str, str] = state.remembered(UPLOADED, {})
    at_hand |= {source: name for source, name in uploaded.items() if is_of_session(source)}
    return at_hand | {str(folder / name): name for name in dataset_names()[:MOST_OFFERED]}


def choose_dataset() -> str | None:
    """The data set that the field names, typed or from the list; None while the field is empty."""
    if (asked := survey().data) is not None and named_source(asked) != asked:
        look_at_dataset(named_source(asked))  # a link may be relative to the folder of the server
    state.set_widget(_DATA, survey().data or DEFAULT_DATA)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        source = st.text_input(
            "Data set",
            key=_DATA,
            placeholder="/folder/with/images, /x/annotations.json or shapes:100:3",
            help="A folder with COCO, VOC or YOLO annotations, a COCO JSON file, or `shapes:LENGTH:SEED` for "
            f"drawn scenes. {WHERE_READ}",
            on_change=lambda: look_at_dataset(named_source(str(state.widget(_DATA) or "").strip()) or None),
        ).strip()
        # Under another key it is another one, which is closed.
        popover = st.popover("Choose", icon=":material/folder_open:", key=f"dataset.offered.{source}")
        with popover, st.container(gap="xsmall"):
            _offer(source)
    return source or None


def kept_for_jobs(source: str) -> str:
    """The data set as a process of its own can read it, after this session, too; an uploaded one moves, see `kept`.

    Raises:
        ValueError, OSError: it cannot be moved.
    """
    found = kept(source)
    if found != source and survey().data == source:
        look_at(data=found)
    return found


def opened(source: str) -> AnyDataset | None:
    """The data set; None where it cannot be opened, which is told."""
    try:
        return resources.dataset(source)
    except (OSError, ValueError, TypeError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return None


def size_words(dataset: AnyDataset) -> str:
    """Images and categories of a data set, such as `100 images, 6 categories`."""
    classes = len(dataset.categories) - 1
    return f"{plural(len(dataset), 'image')}, {classes:,} {'category' if classes == 1 else 'categories'}"


def _offer(chosen: str) -> None:
    """The list: one line for each data set."""
    for number, (source, label) in enumerate(offered_datasets().items()):
        st.button(
            literal(label), key=f"dataset.offer.{number}", type="tertiary", disabled=source == chosen,
            icon=":material/check:" if source == chosen else ":material/perm_media:",
            on_click=look_at_dataset, args=(source,),
        )  # fmt: skip
    st.caption(f"Folders in {literal(str(datasets_folder()))} stand here, too.")
