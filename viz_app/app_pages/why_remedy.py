"""The green card of the Why? page: the smallest change of one threshold, its price, and a button to apply it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.advice import advice_for
from detector.explaining.ladder import diagnose
from detector.explaining.price import price_between
from detector.explaining.remedies import remedy_against, remedy_for
from viz_app import state
from viz_app.app_pages.why_price import price_on_request
from viz_app.figures.price_picture import price_groups
from viz_app.figures.raster import draw_picture
from viz_app.figures.remedy_words import change_words, effect_words, price_words, title_words
from viz_app.links import MOST_CANDIDATES
from viz_app.problems import as_sentence, literal
from viz_app.sidebar.knobs import move_sliders

if TYPE_CHECKING:
    import numpy as np

    from detector.explaining.price import Price
    from detector.explaining.remedies import Remedy
    from detector.tracing.replay import Replayer
    from detector.tracing.thresholds import Thresholds
    from viz_app.app_pages.why_subjects import Subject
    from viz_app.scene import Scene

_MEMO = "why.remedy"
_STYLE = """<style>
.st-key-why-remedy { border: 1px solid #009E73; border-radius: 0.75rem; padding: 0.9rem 1rem;
  background: rgba(0, 158, 115, 0.06); }
.st-key-why-step { border: 1px solid rgba(128, 134, 143, 0.4); border-radius: 0.75rem; padding: 0.9rem 1rem; }
.st-key-why-remedy p, .st-key-why-step p { margin-bottom: 0.15rem; }
.st-key-why-good button { background: #009E73; border-color: #009E73; color: #fff; }
.st-key-why-good button:hover { background: #00805D; border-color: #00805D; color: #fff; }
</style>"""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What would help.

    Args:
        remedy: the smallest change; None where no single threshold helps.
        advice: sentences about what else would.
        price: of the remedy on this image.
        known: the image's objects are known, so that its price can tell true from false.
        picture: what comes and goes with it, uint8 RGB [h, w, 3].
        problem: why it could not be looked for; empty where it was.
    """

    remedy: Remedy | None
    advice: tuple[str, ...] = ()
    price: Price | None = None
    known: bool = False
    picture: np.ndarray | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Memo:
    """The last answer and what it belongs to; a captured image is not kept alive for it."""

    replayer: weakref.ref[Replayer]
    thresholds: Thresholds
    about: str
    answer: Answer


def show_remedy(scene: Scene, subject: Subject) -> None:
    """The change with its price and its button, or what else would help."""
    if subject.found:
        return
    answer = _answer(scene, subject)
    if answer.remedy is not None:
        _card(scene, subject, answer, answer.remedy)
    elif not answer.problem:
        st.markdown("**No single threshold helps.**")
    if answer.problem:
        st.info(literal(as_sentence(answer.problem)), icon=":material/info:")
    if answer.advice:
        st.markdown(" ".join(literal(sentence) for sentence in answer.advice))


def _card(scene: Scene, subject: Subject, answer: Answer, remedy: Remedy) -> None:
    st.html(_STYLE)
    helps = remedy.brings_back or remedy.removes
    with st.container(key="why-remedy" if helps else "why-step", gap="small"):
        words, button = st.columns([0.8, 0.2], vertical_alignment="center")
        with words:
            said = [effect_words(remedy, _object_words(subject))]
            said += [] if answer.price is None else [price_words(answer.price, known=answer.known)]
            st.markdown(f"**{title_words(remedy)}:** {literal(change_words(remedy))}")
            st.markdown(f":gray[{literal(' '.join(said))}]")
        with button, st.container(key="why-good" if helps else "why-try"):
            _apply_button(subject, remedy, helps=helps)
        with st.container(horizontal=True, gap="small"):
            if answer.picture is not None:
                with st.popover("What comes and goes", type="tertiary", icon=":material/image:"):
                    st.image(answer.picture, width=480)
                    st.caption(
                        "Dashed: objects found or lost by it. Solid: detections that come. Dotted: that go."
                    )
            price_on_request(scene, remedy)


def _apply_button(subject: Subject, remedy: Remedy, *, helps: bool) -> None:
    too_many = remedy.after > MOST_CANDIDATES
    st.button(
        "Apply", key="why.apply", type="primary" if helps else "secondary", width="stretch", on_click=_apply,
        args=(subject, remedy), disabled=too_many,
        help=f"The sliders go up to {MOST_CANDIDATES:,}." if too_many else "Moves the slider.",
    )  # fmt: skip


def _apply(subject: Subject, remedy: Remedy) -> None:
    """Move the sliders, and stay with the object: what became of it is what one wants to see."""
    move_sliders(remedy.thresholds)
    if subject.object is not None:
        state.select(subject.selected)


def _object_words(subject: Subject) -> str:
    if subject.selected is None:
        return "it"
    return subject.name if subject.false_positive is not None else subject.name.split()[0]


def _answer(scene: Scene, subject: Subject) -> Answer:
    """What would help; looked for once, for the page is drawn again with every click."""
    about = f"{subject.selected or state.choice().asked}"
    memo: _Memo | None = state.remembered(_MEMO, None)
    if (
        memo is not None
        and memo.replayer() is scene.replayer
        and (memo.thresholds, memo.about) == (scene.replay.thresholds, about)
    ):
        return memo.answer
    with st.spinner("Looking for the smallest change …"):
        answer = _look(scene, subject)
    state.remember(_MEMO, _Memo(weakref.ref(scene.replayer), scene.replay.thresholds, about, answer))
    return answer


def _look(scene: Scene, subject: Subject) -> Answer:
    diagnosis = subject.diagnosis
    try:
        if subject.false_positive is not None:
            return _priced(scene, subject, remedy_against(scene.replayer, diagnosis, subject.false_positive))
        assert subject.verdict is not None
        remedy = remedy_for(scene.replayer, diagnosis, subject.verdict)
        advice = advice_for(scene.replayer, diagnosis, subject.verdict)
        return _priced(scene, subject, remedy, tuple(advice))
    except ValueError as problem:
        return Answer(None, problem=str(problem))  # RoIs that a trace without its model did not record


def _priced(scene: Scene, subject: Subject, remedy: Remedy | None, advice: tuple[str, ...] = ()) -> Answer:
    """With the price on this image; of a drawn box by the annotated objects, where there are any."""
    if remedy is None:
        return Answer(None, advice)
    before = scene.diagnosis or subject.diagnosis
    known = scene.diagnosis is not None
    after = diagnose(scene.replayer.replay(remedy.thresholds), before.truth, before.iou)
    price = price_between(before, after)
    groups = price_groups(before, after, price, known=known)
    picture = draw_picture(scene.trace.input.pixels, groups) if groups else None
    return Answer(remedy, advice, price, known, picture)
