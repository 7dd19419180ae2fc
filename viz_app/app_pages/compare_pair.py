"""One object in both diagnoses: the pictures side by side, moved and zoomed together, and both ladders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from detector.explaining.ladder import diagnose
from viz_app import resources
from viz_app.app_pages.compare_shown import chosen_object
from viz_app.app_pages.dataset_choice import look_at
from viz_app.app_pages.dataset_gallery import open_image
from viz_app.app_pages.parts import show_picture
from viz_app.components.ladder import show_ladder
from viz_app.detector_spec import DetectorSpec
from viz_app.figures.ladder import ladder_rows
from viz_app.figures.ladder_html import ladder_html
from viz_app.figures.side_by_side import outcome_groups, seen_of_compared
from viz_app.links import Selected
from viz_app.problems import as_sentence, literal
from viz_app.sidebar.file_words import FileWords

if TYPE_CHECKING:
    from torch import Tensor

    from detector.explaining.verdicts import Diagnosis
    from detector.judging.comparison_records import ComparedObject
    from viz_app.app_pages.compare_shown import ShownPair
    from viz_app.app_pages.dataset_shown import ShownRun
    from viz_app.jobs.job import Job

_LINKED = "compare"


def show_pair(pair: ShownPair) -> None:
    """The card of the object that was clicked; nothing where none was."""
    one = chosen_object(pair.comparison)
    if one is None:
        return
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            title = f"#{one.object} {one.category} on {one.image}: {one.change}"
            st.subheader(literal(title), anchor=False, width="content")
            st.button(
                "Close", key="compare.close", icon=":material/close:", type="tertiary", on_click=look_at,
                kwargs={"pair": None},
            )  # fmt: skip
        try:
            image = resources.dataset(pair.a.source)[one.image_index][0]
        except (OSError, ValueError, IndexError) as problem:
            st.error(literal(as_sentence(problem)), icon=":material/error:")
            return
        for column, second in zip(st.columns(2, gap="small"), (False, True), strict=True):
            with column:
                _side(pair, one, image, second=second)
        st.caption(
            "Dotted: the object. Blue: found. Orange: false. Dashed red: lost. The pictures move and zoom together."
        )


def spec_of(job: Job) -> DetectorSpec:
    """The detector of a diagnosis as the app loads it; the same one as the sidebar's where that is chosen there."""
    words: Any = {name: _frozen(value) for name, value in job.words.items()}
    return DetectorSpec(job.model, job.weights, words=FileWords(**words))


def _side(pair: ShownPair, one: ComparedObject, image: Tensor, *, second: bool) -> None:
    run = pair.b if second else pair.a
    name, letter = (pair.comparison.b, "B") if second else (pair.comparison.a, "A")
    evaluation = pair.comparison.evaluation_b if second else pair.comparison.evaluation_a
    st.markdown(f"**{letter}** · {literal(name)}")
    groups = outcome_groups(
        seen_of_compared(pair.of_image(one.image_index), second=second),
        resources.kept_reports(run.folder).detections(one.image_index),
        evaluation.categories,
        one.object,
    )
    show_picture(image, groups, key=f"compare.picture_{letter.lower()}", linked=_LINKED)
    reason, score = (one.reason_b, one.score_b) if second else (one.reason_a, one.score_a)
    said = reason if score is None else f"found with score {score:.3f}"
    st.markdown(f"**{literal(said[:1].upper() + said[1:])}**")
    _ladder(run, one, letter)
    st.button(
        "Open in Why?", key=f"compare.why.{letter}", icon=":material/help:", disabled=not run.of_sidebar,
        help=None if run.of_sidebar else "Choose this detector in the sidebar first.",
        on_click=open_image, args=(run, one.image_index, Selected("object", one.object), "why"),
    )  # fmt: skip


def _ladder(run: ShownRun, one: ComparedObject, letter: str) -> None:
    """The ladder of the object, replayed under the thresholds of the diagnosis."""
    try:
        diagnosis = None if run.job is None else _diagnosed(run, run.job, one.image_index)
    except (OSError, ValueError) as problem:
        st.caption(literal(f"No ladder: {as_sentence(problem)}"))
        return
    if diagnosis is None:
        st.caption("No ladder: the folder of this diagnosis does not say which detector it is of.")
        return
    verdict = next((known for known in diagnosis.verdicts if known.object == one.object), None)
    if verdict is not None:
        show_ladder(ladder_html(ladder_rows(diagnosis, verdict)), key=f"compare_ladder_{letter}")


def _diagnosed(run: ShownRun, job: Job, index: int) -> Diagnosis | None:
    with st.spinner("Running the detector …"):
        replayer = resources.replayer(
            spec_of(job), resources.dataset_image(run.source, index), lambda stage: None
        )
        truth = replayer.trace.ground_truth
        if truth is None:
            return None
        return diagnose(replayer.replay(run.summary.thresholds), truth, run.summary.iou)


def _frozen(value: Any) -> Any:  # noqa: ANN401 - what JSON has made a list of
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
