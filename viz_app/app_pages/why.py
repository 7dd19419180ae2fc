"""Why?: one object, one false positive or one drawn box; the ladder it climbed, and what would change its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import state
from viz_app.app_pages.why_answer import show_answer
from viz_app.app_pages.why_explained import explain_ladder
from viz_app.app_pages.why_lineage import show_descendants, show_lineage
from viz_app.app_pages.why_picture import choose_question, show_question
from viz_app.app_pages.why_saliency import show_saliency
from viz_app.app_pages.why_subjects import asked_now, questions, subject_of, unanswered
from viz_app.problems import literal

if TYPE_CHECKING:
    from viz_app.app_pages.why_subjects import Subject
    from viz_app.scene import Scene


def render(scene: Scene) -> None:
    """Draw the page."""
    asked = state.choice().asked
    question = asked_now(scene, state.selection(), asked)
    subject = None if question is None else subject_of(scene, question)
    left, right = st.columns([0.44, 0.56], gap="small")
    with left, st.container(border=True, height="stretch"):
        show_question(scene, subject)
        choose_question(scene, questions(scene, asked), question)
    with right, st.container(border=True, height="stretch"):
        if sentence := unanswered(scene, state.selection()):
            instead = "" if subject is None else f" The answer below is about {subject.name} instead."
            st.info(literal(sentence + instead), icon=":material/info:")
        if subject is None:
            _nothing_to_ask(scene)
            return
        show_answer(scene, subject)
    _sections(scene, subject)
    with st.expander("What happens here"):
        st.markdown(explain_ladder(subject))


def _sections(scene: Scene, subject: Subject) -> None:
    with st.container(border=True):
        st.subheader("Lineage", anchor=False)
        if subject.slot is not None:
            show_lineage(scene, subject.slot, subject.object)
        elif subject.anchor is not None:
            show_descendants(scene, subject.anchor, f"Anchor {subject.anchor:,} came nearest. ")
        else:
            st.caption("No box of any stage came near it: there is nothing to follow back.")
    # Where nothing came near, the logit of the object's own box is asked for.
    box = None if subject.slot is not None or subject.anchor is not None else subject.network_box
    show_saliency(scene, subject.slot, subject.anchor, subject.label, box)


def _nothing_to_ask(scene: Scene) -> None:
    st.subheader("Ask about a place", anchor=False)
    known = scene.diagnosis is not None
    why = "holds no object and no detection" if known else "has no annotated objects"
    st.markdown(
        f"*{literal(scene.trace.input.name)}* {why}, so nothing is known to be lost. Ask all the same:\n\n"
        "1. choose the **class** that you miss, on the left;\n"
        "2. **draw a box** around the object: press on the picture and drag;\n"
        "3. read here at which step of the detector such an object is lost, and what would bring it back."
    )
