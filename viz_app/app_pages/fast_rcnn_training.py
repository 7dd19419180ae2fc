"""The second stage's training samples on one image: the RoIs that a step draws under a seed, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from detector.tracing.roi_losses import RoiLosses, roi_confusion, roi_losses
from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import PROBABILITY, image_key, linked_table
from viz_app.app_pages.shown import Shown
from viz_app.app_pages.training_step import SEED, TrainingStep, seed_row, training_step
from viz_app.figures.roi_batch import confusion_figure, delta_histograms
from viz_app.figures.roi_samples import (
    Order,
    Quota,
    quota_figure,
    roi_sample_groups,
    roi_sample_table,
    sample_items,
    sample_order,
    selected_sample_groups,
)
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from torch import Tensor

    from viz_app.scene import Scene

_KINDS = ("positives", "negatives", "added objects", "predicted")
_ORDERS: tuple[Order, ...] = ("class loss", "box loss", "sum")
_LOSS = st.column_config.NumberColumn(format="%.3f")
_COLUMNS = {"p": PROBABILITY, "class loss": _LOSS, "box loss": _LOSS}


def beside(scene: Scene) -> Shown:
    """Controls, numbers and table of the training step; what is to be drawn."""
    truth = scene.trace.ground_truth
    groups = ground_truth_group(truth, scene.trace.categories)
    if truth is None or not bool((~truth.crowd).any()):
        st.info(
            "Training samples need annotated objects, and this image has none. Choose a bundled scene, or an "
            "image that comes with annotations."
        )
        return Shown(groups)
    try:
        step = training_step(scene, seed_row(scene))
    except ValueError as error:
        st.info(literal(as_sentence(error)))
        return Shown(groups)
    st.markdown(training_words(quota_of(scene, step), step))
    shown = st.pills(
        "Show",
        _KINDS,
        selection_mode="multi",
        default=["positives", "negatives", "added objects"],
        key="fast_rcnn.samples",
        persist_state="session",
    )
    losses = roi_losses(step.view.rois)
    rows = _rows(step, losses)
    items = sample_items(step.origins)
    place = linked_table(
        roi_sample_table(scene.trace, step.view.rois, losses, rows),
        [items[row] for row in rows.tolist()],
        f"fast_rcnn.sampled.{image_key(scene.trace)}",
        _COLUMNS,
    )
    groups += roi_sample_groups(scene.trace, step.view.rois, losses, step.origins, tuple(shown))
    if place is not None:
        groups += selected_sample_groups(scene.trace, step.view.rois, losses, int(rows[place]))
    return Shown(groups)


def below(scene: Scene) -> None:
    """Share of positives, confusion, targets and errors."""
    truth, seed = scene.trace.ground_truth, state.widget(SEED)
    if truth is None or not bool((~truth.crowd).any()):
        return
    try:
        step = training_step(scene, seed if isinstance(seed, int) else 0)
    except ValueError:
        return
    rois, losses = step.view.rois, roi_losses(step.view.rois)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.subheader("What was taken for what", anchor=False)
        figure = confusion_figure(roi_confusion(rois), scene.trace.categories)
        show_chart(figure, key="fast_rcnn.confusion")
    with right, st.container(border=True, height="stretch"):
        st.subheader("Share of positives", anchor=False)
        quota = quota_of(scene, step)
        show_chart(quota_figure(quota), key="fast_rcnn.quota")
        st.caption(f"Dotted: the most positives that a step may draw, {quota.asked:,}.")
        st.subheader("Box targets and errors", anchor=False)
        show_chart(delta_histograms(rois, losses), key="fast_rcnn.deltas")
        st.caption(
            "Of the positives, times the box coder's weights. Grey: targets. Blue: predicted minus target."
        )


def quota_of(scene: Scene, step: TrainingStep) -> Quota:
    """How many RoIs the step was asked for, and drew; without a model it was asked for what it drew."""
    drawn, positives = len(step.view.rois.labels), int((step.view.rois.labels > 0).sum())
    if scene.model is None:
        return Quota(drawn, 1.0, positives, drawn - positives)
    sampler: Any = scene.model.model.roi_heads.fg_bg_sampler
    size, fraction = int(sampler.batch_size_per_image), float(sampler.positive_fraction)
    return Quota(size, fraction, positives, drawn - positives)


def training_words(quota: Quota, step: TrainingStep) -> str:
    """What the step drew and lost, in three sentences."""
    losses = step.view.losses
    return (
        f"Asked for **{quota.size:,}** RoIs, at most {quota.fraction:.0%} of them positive, the step drew "
        f"**{quota.positives:,} + {quota.negatives:,}**: {quota.share:.0%} are positive. "
        f"**{int(step.view.rois.is_object.sum())}** of these are objects that were added as RoIs. "
        f"Class loss **{losses.fast_rcnn_cls:.3f}**, box loss **{losses.fast_rcnn_bbox:.3f}**."
    )


def _rows(step: TrainingStep, losses: RoiLosses) -> Tensor:
    """The drawn RoIs in the order that was asked for."""
    rois = step.view.rois
    columns = st.columns(3)
    which = columns[0].selectbox(
        "RoIs", ["positives", "negatives", "all"], key="fast_rcnn.which", persist_state="session"
    )
    end = columns[1].selectbox("First the", ["worst", "best"], key="fast_rcnn.end", persist_state="session")
    by = columns[2].selectbox("by", _ORDERS, key="fast_rcnn.by", persist_state="session")
    positive = rois.labels > 0
    mask = {"positives": positive, "negatives": ~positive}.get(which or "all", positive | True)
    return sample_order(losses, mask.nonzero().flatten(), by or "class loss", best=end == "best")
