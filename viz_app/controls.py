"""The sidebar: detector, image and thresholds give the scene; after a problem the last scene stays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.ladder import diagnose
from detector.explaining.survival import one_object
from detector.tracing.capture import STAGES
from detector.tracing.thresholds import Thresholds
from viz_app import resources, state
from viz_app.detector_spec import DetectorSpec
from viz_app.downloads import clear_tables, offer_trace
from viz_app.links import DEFAULT_MODEL
from viz_app.problems import recorded_words, show_notice, show_problem
from viz_app.recorded import replay_as_recorded
from viz_app.scene import Scene
from viz_app.scenes import ImageChoice
from viz_app.sidebar.asking import ask_for_words
from viz_app.sidebar.choosing import REFUSED, choose_detector, choose_image
from viz_app.sidebar.fetching import fetch
from viz_app.sidebar.knobs import threshold_sliders
from viz_app.stage_line import stage_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamlit.delta_generator import DeltaGenerator

    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replayer
    from detector.tracing.trace import Trace

_SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is looked at: an image through a detector."""

    detector: DetectorSpec
    image: ImageChoice

    @property
    def key(self) -> str:
        return f"{self.detector.key}|{self.image.key}"


def choose_scene(box: DeltaGenerator) -> Scene | None:
    """Draw the sidebar; the scene it asks for, or the last one that worked, or None when nothing ever did.

    Args:
        box: where problems are told.
    """
    state.follow_history()
    clear_tables()
    resources.desk().clear()
    with st.sidebar:
        wanted = choose_detector()
        questions = st.container()
        image = choose_image(box)
        found = None if image is None else _open(wanted, image, box)
        if wanted is not None and image is not None and not image.is_trace:
            _ask(questions, _Subject(wanted, image))
        if found is None:
            return None
        subject, replayer = found
        state.remember(_SHOWN, subject)
        model = None if subject.image.is_trace else resources.detector(subject.detector)
        if model is None:
            st.caption(recorded_words(replayer.trace))
            # Between the sliders of two traces of one name nothing may be carried over.
            thresholds = threshold_sliders(replayer.trace.thresholds, f"trace {subject.image.sha256}")
        else:
            thresholds = threshold_sliders(Thresholds.from_model(model.model), subject.detector.key)
        offer_trace(replayer.trace)
    with stage_line(box, "New proposals", ["RoI heads"]):
        replay, unseen = replay_as_recorded(replayer, thresholds)
    if unseen:
        show_notice(box, f"{unseen}: shown is what the RPN did under the thresholds of the trace.")
    truth = replayer.trace.ground_truth
    diagnosis = None if truth is None else diagnose(replay, truth)
    _forget_unknown(replayer.trace, diagnosis)
    for sentence in state.notices():
        show_notice(box, sentence)
    _mirror(subject)
    return Scene(model, replayer.trace, replayer, replay, diagnosis)


def shown_detector() -> DetectorSpec | None:
    """The detector that the sidebar shows; None before one was ever opened."""
    shown: _Subject | None = state.remembered(_SHOWN, None)
    return None if shown is None else shown.detector


def _forget_unknown(trace: Trace, diagnosis: Diagnosis | None) -> None:
    """A link may name a box, an object or an anchor that this image does not have."""
    _forget_unknown_box(trace)
    asked = state.selection()
    if asked is None:
        return
    if asked.kind == "object":
        known = () if diagnosis is None else [verdict.object for verdict in diagnosis.verdicts]
        exists, name = asked.index in known, f"object #{asked.index}"
    elif asked.kind == "cell":
        cells = sum(height * width for height, width, _ in trace.rpn.grid)
        exists, name = asked.index < cells, f"cell {asked.index:,} (there are {cells:,})"
    else:
        anchors, classes = len(trace.rpn.anchors), len(trace.categories)
        exists = asked.index < anchors and (asked.label is None or 0 < asked.label < classes)
        name = f"{asked.kind} {str(asked).partition('.')[2]} (there are {anchors:,} anchors)"
    if not exists:
        state.notice(f"The link was followed without one part: this image has no {name}.")
        state.forget_selection()


def _forget_unknown_box(trace: Trace) -> None:
    asked = state.choice().asked
    if asked is None:
        return
    try:
        one_object(asked.box, asked.label, trace.categories, trace.input.image_size)
    except ValueError as problem:
        state.notice(f"The link was followed without one part: {problem}.")
        state.forget_asked()


def _open(
    wanted: DetectorSpec | None, image: ImageChoice, box: DeltaGenerator
) -> tuple[_Subject, Replayer] | None:
    """The first of the wanted scene, the one shown before, and the bundled one that can be opened."""
    # Not tried again with every slider: a download that fails may take a while to do so.
    refused: dict[str, str] = state.remembered(REFUSED, {})
    for subject in _in_order(wanted, image):
        key = subject.key
        try:
            if key not in refused:
                if subject.image.is_trace:
                    return subject, resources.opened(subject.image)
                fetch(subject.detector, box)
                task = f"Running the detector on {subject.image.name}"
                with stage_line(box, task, list(STAGES)) as on_stage:
                    return subject, resources.replayer(subject.detector, subject.image, on_stage)
        except (ValueError, OSError) as problem:
            refused = {**refused, key: str(problem)}
            state.remember(REFUSED, refused)
        show_problem(box, refused[key])
    return None


def _ask(place: DeltaGenerator, wanted: _Subject) -> None:
    """Where a checkpoint leaves something open, ask for it."""
    if not wanted.detector.is_checkpoint:
        return
    refusal = state.remembered(REFUSED, {}).get(wanted.key, "")
    notes = () if refusal else resources.detector(wanted.detector).notes
    ask_for_words(place, wanted.detector, refusal, notes)


def _in_order(wanted: DetectorSpec | None, image: ImageChoice) -> Iterator[_Subject]:
    before: _Subject | None = state.remembered(_SHOWN, None)
    if wanted is not None:
        yield _Subject(wanted, image)
    elif before is not None:
        yield _Subject(before.detector, image)
    if before is not None:
        yield before
    yield _Subject(DetectorSpec(DEFAULT_MODEL), image)


def _mirror(subject: _Subject) -> None:
    """Put what is shown into the choice and the address; an upload has no link, so it is left out."""
    spec, image = subject.detector, subject.image
    model = DEFAULT_MODEL if spec.data is not None else spec.source
    named = image.key if image.has_link else None
    state.choose(replace(state.choice(), model=model, weights=spec.weights, image=named))
    state.mirror_in_address()
