"""The best and the worst images of an evaluation; a click opens one with all its boxes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import streamlit as st

from detector.judging.image_scores import worst_by_ap, worst_by_loss
from viz_app import resources, state
from viz_app.app_pages.dataset_gallery import open_image
from viz_app.app_pages.evaluate_explained import IMAGES_TEXT
from viz_app.components.gallery import show_gallery
from viz_app.figures.gallery import gallery_html
from viz_app.figures.image_ranking import image_card, ranking_words
from viz_app.figures.side_by_side import seen_on
from viz_app.job_check import check_job
from viz_app.jobs import processes as jobs
from viz_app.jobs.losses_job import start_losses
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Evaluation, ImageScore
    from viz_app.app_pages.dataset_shown import ShownRun
    from viz_app.figures.gallery import Card

MOST_SHOWN = 6
_WORST, _BEST, _LOSS = "worst by AP", "best by AP", "highest loss"
_CARDS, _TROUBLE = "image cards", "losses trouble"


def show_images(run: ShownRun, evaluation: Evaluation) -> None:
    """D8."""
    with st.container(border=True):
        title, choice = st.columns([0.5, 0.5], vertical_alignment="center")
        title.subheader("Best and worst images", anchor=False)
        known = any(one.loss is not None for one in evaluation.images)
        with choice, st.container(horizontal=True, horizontal_alignment="right"):
            view = st.segmented_control(
                "Images", (_WORST, _BEST, *((_LOSS,) if known else ())), default=_WORST, required=True,
                key="evaluate.images", label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        images = _ranked(evaluation, view or _WORST)[:MOST_SHOWN]
        if not images:
            st.caption("No image holds an object, so none can be ranked.")
            return
        place = f"{run.name}.{view}.{known}"
        key = f"evaluate.cards.{hashlib.sha256(place.encode()).hexdigest()[:12]}"
        show_gallery(
            gallery_html(_cards(run, evaluation, images, place)), key, lambda: _clicked(key, run, images)
        )
        st.markdown(literal(ranking_words(evaluation.images)))
        st.caption("Blue: found. Orange: false. Dashed red: lost. A click opens the image on Full network.")
        if not known:
            _offer_losses(run)
        with st.expander("How it is computed"):
            st.markdown(IMAGES_TEXT)


def _offer_losses(run: ShownRun) -> None:
    """A button that lets a process work them out; they take as long as the diagnosis itself."""
    problem = jobs.poll(run.folder).message or state.remembered(_TROUBLE, "")
    if problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
    st.button(
        "Rank by loss, too", key="evaluate.losses", icon=":material/trending_down:", disabled=run.job is None,
        help="What a training step on each image alone would pay: one more pass over all images, in a process of "
        "its own.",
        on_click=_start_losses, args=(run,),
    )  # fmt: skip


def _start_losses(run: ShownRun) -> None:
    state.remember(_TROUBLE, "")
    try:
        if run.job is not None:
            check_job(run.job.dataset, model=run.job.model)
            start_losses(run.job, run.folder)
    except (OSError, ValueError) as problem:
        state.remember(_TROUBLE, f"the losses cannot be worked out: {problem}")


def _ranked(evaluation: Evaluation, view: str) -> list[ImageScore]:
    if view == _LOSS:
        return worst_by_loss(evaluation.images)
    ranked = worst_by_ap(evaluation.images)
    return ranked[::-1] if view == _BEST else ranked


def _cards(run: ShownRun, evaluation: Evaluation, images: list[ImageScore], place: str) -> list[Card]:
    """The cards of a view; kept until another one is looked at."""
    known: tuple[str, list[Card]] | None = state.remembered(_CARDS, None)
    if known is not None and known[0] == place:
        return known[1]
    with st.spinner("Drawing the images …"):
        made = _made(run, evaluation, images)
    if made:  # what goes wrong is told, and tried again
        state.remember(_CARDS, (place, made))
    return made


def _made(run: ShownRun, evaluation: Evaluation, images: list[ImageScore]) -> list[Card]:
    try:
        dataset, reports = resources.dataset(run.source), resources.kept_reports(run.folder)
        return [
            image_card(
                one, dataset[one.index][0], seen_on(run.objects, one.index),
                reports.detections(one.index), evaluation.categories,
            )
            for one in images
        ]  # fmt: skip
    except (OSError, ValueError, IndexError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return []


def _clicked(key: str, run: ShownRun, images: list[ImageScore]) -> None:
    number = getattr(state.widget(key), "card", None)
    if isinstance(number, int | float) and 0 <= int(number) < len(images):
        open_image(run, images[int(number)].index, None, "full_network")
