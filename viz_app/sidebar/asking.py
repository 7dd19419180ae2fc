"""The form that asks for what a checkpoint does not say; it is drawn only for a file that leaves something open."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from detector.models.families import MOBILENETS
from viz_app import state
from viz_app.problems import as_sentence, literal
from viz_app.sidebar.choosing import other_detector
from viz_app.sidebar.file_words import (
    FileWords,
    anchor_sizes_from_text,
    asked_for,
    aspect_ratios_from_text,
    categories_from_file,
    categories_from_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.delta_generator import DeltaGenerator
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from viz_app.detector_spec import DetectorSpec

_TROUBLE = "words refused"
# Their names differ behind the end of a sidebar's field; the models differ in the size of their input alone.
_INPUTS: dict[str, str] = dict(zip(MOBILENETS, ("MobileNetV3, 800 px", "MobileNetV3, 320 px"), strict=True))

_SIDES = (
    ("min_size", "Min. side", "The image's shorter side is brought to this many pixels. Empty: as usual."),
    ("max_size", "Max. side", "The image's longer side is at most this many pixels. Empty: as usual."),
)


def ask_for_words(place: DeltaGenerator, spec: DetectorSpec, refusal: str, notes: Sequence[str]) -> None:
    """Draw the form into `place`, where the file has left something open or something was said before.

    Args:
        place: where.
        spec: the file, with what was said of it.
        refusal: the sentence with which it was refused, or nothing.
        notes: what the loader had to take for granted.
    """
    said = spec.words.said()
    asked = asked_for(refusal)
    if not (asked or said or notes):
        return
    trouble = state.remembered(_TROUBLE, {}).get(spec.file, "")
    opened = bool(asked or trouble)
    with place.expander("What the file does not say", expanded=opened, icon=":material/help:"):
        with st.form(f"words@{spec.file}", border=False, enter_to_submit=False):
            _draw_fields(spec, {*asked, *said, *asked_for(" ".join(notes))})
            st.form_submit_button("Load again", on_click=_take, args=(spec.file,))
        if trouble:
            st.error(literal(as_sentence(trouble)))


def _draw_fields(spec: DetectorSpec, wanted: set[str]) -> None:
    """Only what can be known no other way is always asked; the rest where the loader asks for it."""
    file, words = spec.file, spec.words
    if "architecture" in wanted:
        state.seed_widget(_key("architecture", file), words.architecture or MOBILENETS[0])
        st.selectbox(
            "Architecture", MOBILENETS, key=_key("architecture", file), format_func=lambda name: _INPUTS[name]
        )
    state.seed_widget(_key("categories", file), ", ".join(words.categories))
    st.text_area(
        "Category names", key=_key("categories", file), height=68, placeholder="circle, triangle, star",
        help="In the order of the classes, separated by commas or line breaks; the background may be left out.",
    )  # fmt: skip
    st.file_uploader("… or a file of them", type=["txt", "json"], key=_key("names", file))
    for column, (name, label, about) in zip(st.columns(2), _SIDES, strict=True):
        state.seed_widget(_key(name, file), getattr(words, name))
        column.number_input(
            label, 1, 10_000, None, 1, key=_key(name, file), help=about, placeholder="as usual"
        )
    _draw_anchor_fields(file, words)
    if "norm_eps" in wanted:
        state.seed_widget(_key("norm_eps", file), words.norm_eps is not None)
        st.checkbox(
            "Trained from torchvision's COCO_V1 detector", key=_key("norm_eps", file),
            help="The BatchNorm of its backbone then has an epsilon of 0; features are 10% off otherwise.",
        )  # fmt: skip


def _draw_anchor_fields(file: str, words: FileWords) -> None:
    sizes = "; ".join(", ".join(f"{size:g}" for size in level) for level in words.anchor_sizes)
    state.seed_widget(_key("anchor_sizes", file), sizes)
    st.text_input(
        "Anchor sizes", key=_key("anchor_sizes", file), placeholder="as usual",
        help="In pixels of the network's input, a semicolon after each pyramid level, finest first: 32; 64; 128.",
    )  # fmt: skip
    state.seed_widget(_key("aspect_ratios", file), ", ".join(f"{ratio:g}" for ratio in words.aspect_ratios))
    st.text_input(
        "Aspect ratios", key=_key("aspect_ratios", file), placeholder="as usual",
        help="Height / width of the anchors, such as 0.5, 1, 2.",
    )  # fmt: skip


def _take(file: str) -> None:
    """Remember for this file what the form says; what cannot be meant is told beside it."""
    try:
        words = _read(file)
    except ValueError as problem:
        state.remember(_TROUBLE, {file: str(problem)})
        return
    state.remember(_TROUBLE, {})
    state.remember_words(file, words)
    other_detector()


def _read(file: str) -> FileWords:
    upload = cast("UploadedFile | None", state.widget(_key("names", file)))
    return FileWords(
        categories=categories_from_text(_text("categories", file))
        if upload is None
        else categories_from_file(upload.name, upload.getvalue()),
        architecture=_text("architecture", file) or None,
        anchor_sizes=anchor_sizes_from_text(_text("anchor_sizes", file)),
        aspect_ratios=aspect_ratios_from_text(_text("aspect_ratios", file)),
        min_size=cast("int | None", state.widget(_key("min_size", file))),
        max_size=cast("int | None", state.widget(_key("max_size", file))),
        norm_eps=0.0 if state.widget(_key("norm_eps", file)) else None,
    )


def _text(name: str, file: str) -> str:
    return str(state.widget(_key(name, file)) or "")


def _key(name: str, file: str) -> str:
    return f"words.{name}@{file}"
