"""Bringing a data set: a zip file is unpacked into the workspace and looked at, or refused with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources, state
from viz_app.app_pages.dataset_choice import UPLOADED, look_at_dataset
from viz_app.jobs.quotas import MOST_DATASETS, SESSION_BYTES, words
from viz_app.jobs.workspace import datasets_folder
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_COUNT, _TROUBLE = "data uploads", "data upload trouble"


def offer_upload() -> None:
    """A button that opens the place for the file; a file that was taken leaves it empty again."""
    count = state.remembered(_COUNT, 0)
    with st.popover("Upload", icon=":material/upload:", key=f"data.upload.{count}"):
        file = st.file_uploader(
            "A zip file with a data set", type=["zip"], key=f"data.zip.{count}",
            help="Images with COCO, VOC or YOLO annotations, as a folder that was packed.",
        )  # fmt: skip
        st.caption(
            "It goes when this page is closed, unless a diagnosis, a run or a study needs it. A session may "
            f"upload {MOST_DATASETS} of them, {words(SESSION_BYTES)} in all. A larger one needs no upload: put its "
            f"folder into {literal(str(datasets_folder()))}."
        )
    if file is not None:
        _take(file)


def show_trouble() -> None:
    """Why the last upload was refused, until another one is taken or the box is closed."""
    trouble = state.remembered(_TROUBLE, "")
    if trouble:
        st.error(literal(as_sentence(trouble)), icon=":material/error:")


def _take(file: UploadedFile) -> None:
    """Unpack, and look at what came of it; the place for the file is emptied, and its memory with it."""
    from viz_app.jobs.dataset_uploads import upload_dataset

    trouble = ""
    with st.spinner(f"Unpacking {literal(file.name)} …"):
        try:
            found = upload_dataset(file, file.name, resources.session_folder())
        except (ValueError, OSError) as problem:
            trouble = f"{file.name} was not taken: {problem}"
        else:
            known: dict[str, str] = state.remembered(UPLOADED, {})
            state.remember(UPLOADED, {**known, str(found): f"{file.name}, uploaded"})
            look_at_dataset(str(found))
    state.remember(_TROUBLE, trouble)
    state.remember(_COUNT, state.remembered(_COUNT, 0) + 1)
    st.rerun()
