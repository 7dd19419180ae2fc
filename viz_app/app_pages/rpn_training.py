"""The Training view: the anchors that a step would label, draw and pay for under a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.anchor_losses import anchor_terms, members_of, ranked, view_of
from viz_app.app_pages.parts import PROBABILITY, linked_table, with_model
from viz_app.app_pages.rpn_objects import NO_OBJECTS
from viz_app.app_pages.rpn_parts import ANCHOR, ROWS, Drawn, selected_anchor
from viz_app.app_pages.rpn_training_charts import batch_below, drawn_anchors
from viz_app.app_pages.training_step import seed_row, training_step
from viz_app.figures.rpn import anchor_items
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.figures.rpn_losses import drawn_by_loss, loss_table, loss_words
from viz_app.figures.rpn_samples import (
    SAMPLE_KINDS,
    label_counts,
    loss_groups,
    sample_groups,
    selected_sample_groups,
)
from viz_app.problems import as_sentence, literal
from viz_app.scene import ModelNeeded

if TYPE_CHECKING:
    from torch import Tensor

    from detector.tracing.anchor_losses import Loss
    from detector.tracing.trace import Trace
    from viz_app.figures.picture import BoxGroup
    from viz_app.scene import Scene

_BATCH, _LOSSES = "the drawn batch", "best and worst"
_LOSS_NAMES: dict[Loss, str] = {"sum": "sum", "objectness": "objectness", "box": "box"}
_NUMBER = st.column_config.NumberColumn(format="%.4f", help="of this anchor, before the mean")


def training_samples_view(scene: Scene) -> Drawn:
    """Controls, numbers and table of the training step; what is to be drawn."""
    step = _step(scene)
    if step is None:
        return Drawn([])
    mode = st.segmented_control(
        "Show",
        [_BATCH, _LOSSES],
        default=_BATCH,
        required=True,
        key="rpn.training.mode",
        persist_state="session",
        label_visibility="collapsed",
    )
    groups, anchors, every = _worst(step) if mode == _LOSSES else _batch(scene, step)
    linked_table(
        loss_table(step, anchors),
        anchor_items(anchors),
        "rpn.samples",
        {
            "objectness": PROBABILITY,
            "objectness loss": _NUMBER,
            "box loss": _NUMBER,
            "drawn": st.column_config.CheckboxColumn(help="part of the batch") if every else None,
            "anchor": ANCHOR,
        },
    )
    st.caption(loss_words(step))
    selected = selected_anchor(scene)
    if selected is not None:
        groups += selected_sample_groups(step, selected)
    return Drawn(groups, below=lambda: batch_below(step, selected))


def _batch(scene: Scene, step: Trace) -> tuple[list[BoxGroup], Tensor, bool]:
    """Anchors by what became of them; the rows are the drawn ones, and no others (False)."""
    shown = st.pills(
        "Show",
        SAMPLE_KINDS,
        selection_mode="multi",
        default=["positives", "targets", "negatives"],
        key="rpn.samples",
        persist_state="session",
        label_visibility="collapsed",
    )
    st.markdown(training_words(step))
    groups = sample_groups(step, shown)
    if "targets" not in shown:  # targets lie on the objects, edge on edge
        groups += ground_truth_group(scene.trace.ground_truth, scene.trace.categories)
    return groups, drawn_by_loss(step), False


def _worst(step: Trace) -> tuple[list[BoxGroup], Tensor, bool]:
    """The anchors that cost the most or the least: boxes, rows, and whether some of them were not drawn."""
    first, second, third = st.columns([0.22, 0.32, 0.46])
    loss: Loss | None = first.selectbox(
        "Loss",
        list(_LOSS_NAMES),
        key="rpn.loss",
        persist_state="session",
        help="The sum weighs both equally.",
    )
    order = second.segmented_control(
        "Order", ["worst", "best"], default="worst", required=True, key="rpn.order", persist_state="session"
    )
    label = third.segmented_control(
        "Anchors",
        ["object", "background"],
        default="object",
        required=True,
        key="rpn.label",
        persist_state="session",
    )
    left, right = st.columns(2, vertical_alignment="bottom")
    count = left.slider("Anchors on the picture", 1, 100, 8, key="rpn.extremes", persist_state="session")
    every = right.toggle(
        "Also those not drawn", key="rpn.every", persist_state="session",
        help="Every labelled anchor has a loss; a step pays only for those that it draws.",
    )  # fmt: skip
    positive = label != "background"
    if loss == "box" and not positive:
        st.info("Background has no box to learn, so its box loss is 0.")
    members = members_of(view_of(step), positive=positive, drawn=not every)
    anchors = ranked(anchor_terms(step), members, loss or "sum", worst=order != "best")
    return loss_groups(step, anchors[:count], positive=positive), anchors[:ROWS], every


def training_words(step: Trace) -> str:
    """What the step labelled and drew, in one sentence each."""
    view = view_of(step)
    counts, drawn = label_counts(view), drawn_anchors(step)
    return (
        f"**{counts['positive']:,}** anchors are positive ({counts['rescued']:,} of them rescued), "
        f"**{counts['negative']:,}** negative, **{counts['ignored']:,}** ignored. The step draws "
        f"**{len(view.anchors.positives):,} + {len(view.anchors.negatives):,}** = {len(drawn):,}."
    )


def _step(scene: Scene) -> Trace | None:
    """The training step to look at: the trace itself if it is one, else one under the chosen seed."""
    trace, truth = scene.trace, scene.trace.ground_truth
    if trace.training is not None:
        seed_row(scene)  # says that there is no seed to choose
        return trace
    if truth is None or not bool((~truth.crowd).any()):
        st.info(NO_OBJECTS)
        return None
    with with_model():
        return _seeded(scene)
    return None


def _seeded(scene: Scene) -> Trace | None:
    try:
        return training_step(scene, seed_row(scene)).trace
    except ModelNeeded:
        raise
    except ValueError as error:
        st.warning(literal(as_sentence(error)))
        return None
