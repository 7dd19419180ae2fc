"""Below the Training view: predicted against target deltas, and the confusion of the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.tracing.anchor_losses import members_of, view_of
from viz_app.app_pages.charts import show_chart
from viz_app.figures.rpn_losses import confusion_figure, target_scatter

if TYPE_CHECKING:
    from torch import Tensor

    from detector.tracing.trace import Trace


def drawn_anchors(step: Trace) -> Tensor:
    """The anchors that the step drew, positives first."""
    samples = view_of(step).anchors
    return torch.cat((samples.positives, samples.negatives))


def batch_below(step: Trace, selected: int | None) -> None:
    """Charts of the step.

    Args:
        step: a training trace.
        selected: the anchor to point out, or None.
    """
    with st.container(border=True):
        st.subheader("Predicted against target deltas", anchor=False)
        positives = members_of(view_of(step), positive=True, drawn=False)
        if len(positives) == 0:
            st.info("No anchor is positive: there is no box to learn on this image.")
        else:
            show_chart(target_scatter(step, positives, selected), key="rpn.targets")
            st.caption(
                f"All {len(positives):,} positive anchors; on the dotted line the prediction is right. "
                "What is regressed are deltas relative to the anchor, never box corners."
            )
    left, right = st.columns(2, gap="small")
    for column, title, anchors, key in (
        (left, "Labels and scores of the drawn batch", drawn_anchors(step), "batch"),
        (
            right,
            "Labels and scores of all labelled anchors",
            torch.arange(len(step.rpn.anchors)),
            "all",
        ),
    ):
        with column, st.container(border=True, height="stretch"):
            st.subheader(title, anchor=False)
            show_chart(confusion_figure(step, anchors), key=f"rpn.confusion.{key}")
