"""The right side of the Why? page: the question, its answer in words, the ladder, and the smallest change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.ladder_text import story
from viz_app.app_pages.why_causes import show_causes
from viz_app.app_pages.why_picture import boxes_of
from viz_app.app_pages.why_remedy import show_remedy
from viz_app.components.ladder import show_ladder
from viz_app.figures.evidence_facts import evidence_facts
from viz_app.figures.evidence_picture import tiles_of
from viz_app.figures.ladder import ladder_rows
from viz_app.figures.ladder_html import cause_html, ladder_html
from viz_app.figures.why_words import aside, false_positive_aside, false_positive_story
from viz_app.problems import literal

if TYPE_CHECKING:
    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.verdicts import Verdict
    from viz_app.app_pages.why_subjects import Subject
    from viz_app.scene import Scene


def show_answer(scene: Scene, subject: Subject) -> None:
    """Say why, draw the ladder or the cause, and offer what would change it."""
    st.subheader(literal(subject.headline), anchor=False)
    if subject.false_positive is not None:
        _false_positive(scene, subject, subject.false_positive)
    elif subject.verdict is not None:
        _object(scene, subject, subject.verdict)
    show_remedy(scene, subject)
    if subject.false_positive is not None:
        show_causes(subject.diagnosis)


def _object(scene: Scene, subject: Subject, verdict: Verdict) -> None:
    diagnosis = subject.diagnosis
    st.markdown(f"{literal(story(diagnosis, verdict))} :gray[{literal(aside(diagnosis, verdict))}]")
    tiles = tiles_of(scene.trace.input.pixels, boxes_of(subject), found=subject.found)
    show_ladder(ladder_html(ladder_rows(diagnosis, verdict), evidence_facts(diagnosis, verdict), tiles))


def _false_positive(scene: Scene, subject: Subject, one: FalsePositive) -> None:
    diagnosis = subject.diagnosis
    words = literal(false_positive_story(diagnosis, one))
    st.markdown(f"{words} :gray[{literal(false_positive_aside(diagnosis, one))}]")
    show_ladder(
        cause_html(
            one.cause, tiles_of(scene.trace.input.pixels, boxes_of(subject), found=subject.object_found)
        )
    )
