"""The RPN's training samples on one image: the batch that a step would draw under a seed, and its losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.sampling import training_view
from viz_app import state
from viz_app.app_pages.parts import PROBABILITY, image_key, select_row
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.figures.rpn_samples import label_counts, sample_groups, selected_sample_groups
from viz_app.figures.rpn_tables import sample_table
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.tracing.samples import TrainingView
    from detector.tracing.trace import Trace
    from viz_app.figures.picture import BoxGroup
    from viz_app.scene import Scene

_KEPT = "rpn.training"
_KINDS = ("positives", "targets", "negatives", "rescued", "ignored")
_LOSS = st.column_config.NumberColumn(format="%.4f")


def training_view_of(scene: Scene) -> list[BoxGroup]:
    """Controls, numbers and table of the training view; what is to be drawn."""
    truth = scene.trace.ground_truth
    if truth is None or not bool((~truth.crowd).any()):
        st.info(
            "Training samples need annotated objects, and this image has none. Choose a bundled scene, or an "
            "image that comes with annotations."
        )
        return []
    seed = _seed()
    try:
        view = _view(scene, seed)
    except ValueError as error:
        st.warning(literal(as_sentence(error)))
        return []
    shown = st.pills(
        "Show",
        _KINDS,
        selection_mode="multi",
        default=["positives", "targets", "negatives"],
        key="rpn.samples",
        persist_state="session",
    )
    st.markdown(training_words(view))
    groups = sample_groups(scene.trace, view, tuple(shown))
    if "targets" not in shown:  # targets lie on the objects, edge on edge
        groups += ground_truth_group(truth, scene.trace.categories)
    return groups + _picked(scene, view, seed)


def training_words(view: TrainingView) -> str:
    """What the step labelled, drew and lost, in one sentence each."""
    counts = label_counts(view)
    drawn = len(view.anchors.positives), len(view.anchors.negatives)
    return (
        f"**{counts['positive']:,}** anchors are positive ({counts['rescued']:,} of them rescued), "
        f"**{counts['negative']:,}** negative, **{counts['ignored']:,}** ignored. The step draws "
        f"**{drawn[0]:,} + {drawn[1]:,}**. Objectness loss **{view.losses.rpn_cls:.3f}**, box loss "
        f"**{view.losses.rpn_bbox:.3f}**."
    )


def _seed() -> int:
    left, right = st.columns([0.6, 0.4], vertical_alignment="bottom")
    with right:
        st.button(
            "Draw again", icon=":material/casino:", on_click=_next_seed, width="stretch", key="rpn.draw"
        )
    value = left.number_input("Seed", 0, 2**31 - 1, step=1, key="rpn.seed", persist_state="session")
    return int(value or 0)


def _next_seed() -> None:
    seed = state.widget("rpn.seed")
    state.set_widget("rpn.seed", (seed + 1) % 2**31 if isinstance(seed, int) else 1)


def _view(scene: Scene, seed: int) -> TrainingView:
    """The training view, kept while image and seed stay: it costs a forward of the second stage."""
    known: tuple[Trace, int, TrainingView] | None = state.remembered(_KEPT, None)
    if known is not None and known[0] is scene.trace and known[1] == seed:
        return known[2]
    with st.spinner("Running one training step …"):
        view = training_view(scene.detector, scene.trace, seed)
    state.remember(_KEPT, (scene.trace, seed, view))
    return view


def _picked(scene: Scene, view: TrainingView, seed: int) -> list[BoxGroup]:
    table = sample_table(scene.replay, view)
    columns = {
        "objectness": PROBABILITY,
        "objectness loss": _LOSS,
        "box loss": _LOSS,
        "anchor": st.column_config.NumberColumn(format="localized"),
    }
    row = select_row(table, f"rpn.sample.{seed}.{image_key(scene.trace)}", columns)
    if row is None:
        return []
    anchor = int(table["anchor"].iloc[row])
    return selected_sample_groups(scene.trace, view, anchor, scene.replay.proposals.boxes)
