"""The left side of the Why? page: the picture, what is asked about, and the class of a box that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from viz_app import state
from viz_app.app_pages.parts import image_key, show_picture
from viz_app.app_pages.why_subjects import Question, question_words
from viz_app.figures.concerned import concerned_boxes, false_positive_boxes
from viz_app.figures.evidence_picture import why_groups
from viz_app.links import Asked

if TYPE_CHECKING:
    from viz_app.app_pages.why_subjects import Subject
    from viz_app.figures.concerned import Concerned
    from viz_app.scene import Scene


def show_question(scene: Scene, subject: Subject | None) -> None:
    """The picture with what the answer is about on top; a box drawn on it is asked about."""
    groups = why_groups(
        scene.replay,
        scene.diagnosis,
        () if subject is None else boxes_of(subject),
        found=subject is not None and subject.object_found,
        about=None if subject is None else subject.selected,
    )
    key = _label_key(scene)
    show_picture(
        scene.trace.input.pixels, groups, key="why.picture",
        on_drawn=lambda box: state.ask(Asked(box, cast("int", state.widget(key)) or 1)),
    )  # fmt: skip


def choose_question(scene: Scene, known: Sequence[Question], question: Question | None) -> None:
    """A list of everything that can be asked about, and the class of a box that is drawn."""
    left, right = st.columns(2, gap="small", vertical_alignment="bottom")
    if question is not None:
        with left:
            _choose_known(scene, known, question)
    with left if question is None else right:
        _choose_label(scene, state.choice().asked)
    click = "" if scene.diagnosis is None else "Click on a box to ask about it, or "
    draw = "**draw one**" if click else "**Draw a box**"
    st.caption(
        f"{click}{draw} around an object that nobody annotated: press and drag. "
        "The square in the corner of the picture switches between drawing and moving it."
    )


def _choose_known(scene: Scene, known: Sequence[Question], question: Question) -> None:
    entries = {str(one): one for one in known}
    words = {str(one): question_words(scene, one) for one in known}
    # A key of its own for each choice: what is selected elsewhere, on the picture say, shows here, too.
    # An object that is found now has another entry, and with it another field: the old one would keep its text.
    key = f"why.question.{words[str(question)]}.{question}.{len(known)}"
    st.selectbox(
        "Ask about", list(entries), index=list(entries).index(str(question)), key=key,
        format_func=words.__getitem__,
        on_change=lambda: _choose(entries[str(state.widget(key))]),
    )  # fmt: skip


def _choose_label(scene: Scene, asked: Asked | None) -> None:
    names, key = scene.trace.categories, _label_key(scene)
    if asked is not None:
        state.set_widget(key, asked.label)
    state.seed_widget(key, 1)
    st.selectbox(
        "Class of a drawn box", range(1, len(names)), key=key, format_func=lambda index: names[index],
        on_change=lambda: _other_label(cast("int", state.widget(key))),
    )  # fmt: skip


def _label_key(scene: Scene) -> str:
    return f"why.label.{image_key(scene.trace)}"


def boxes_of(subject: Subject) -> tuple[Concerned, ...]:
    """The boxes that a subject is about, the first being itself."""
    if subject.false_positive is not None:
        return false_positive_boxes(subject.diagnosis, subject.false_positive)
    assert subject.verdict is not None
    return concerned_boxes(subject.diagnosis, subject.verdict, subject.name)


def _choose(question: Question) -> None:
    state.select(None if isinstance(question, Asked) else question)


def _other_label(label: int) -> None:
    asked = state.choice().asked
    if asked is not None:
        state.ask(replace(asked, label=label))
