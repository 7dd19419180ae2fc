"""The x-ray: what a training step sampled from the images of its batch, and which objects it left out."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.roi_losses import roi_losses
from detector.tracing.roi_origins import roi_origins
from detector.training.sampled_batches import SampledBatch, batch_folder, sampled_batch, sampled_steps
from viz_app import state
from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.parts import show_picture
from viz_app.downloads import note_table
from viz_app.figures.roi_samples import roi_sample_groups
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.figures.rpn_samples import SampleKind, sample_groups
from viz_app.figures.sampled_batch import neglected_group, object_shares, share_table, share_words
from viz_app.jobs.workspace import run_folder
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from pathlib import Path

    from detector.tracing.trace import Trace
    from viz_app.figures.picture import BoxGroup

_STEP, _IMAGE, _STAGE, _KINDS = "train.step", "train.batch_image", "train.stage", "train.kinds"
_ANCHORS, _ROIS = "RPN: anchors", "second stage: RoIs"
_ANCHOR_KINDS: tuple[SampleKind, ...] = ("positives", "targets", "negatives", "rescued")
_ROI_KINDS = ("positives", "negatives", "added objects", "predicted")
_COLUMNS = {
    "anchors fit": st.column_config.NumberColumn(
        "fit", help="Anchors that match it well enough to be positives of the RPN.", width="small"
    ),
    "anchors drawn": st.column_config.NumberColumn(
        "drawn", help="How many of these the step drew: the RPN learns the object from them.", width="small"
    ),
    "RoIs drawn": st.column_config.NumberColumn(
        "RoIs", help="Proposals on it that the second stage learns from in this step.", width="small"
    ),
}
_NONE = (
    "No batch was kept of this run. “X-ray every … steps” in the Train panel, under Record (`--trace_every` on the "
    "command line), keeps one now and then."
)


def show_xray(name: str) -> None:
    """Draw the view, or say how to get one."""
    folder = run_folder(name)
    steps = tuple(sampled_steps(folder))
    if not steps:
        st.info(_NONE, icon=":material/info:")
        return
    _xray(name, folder, steps)


@fragment
def _xray(name: str, folder: Path, steps: tuple[int, ...]) -> None:
    with st.container(border=True):
        first, second, third = st.columns([0.4, 0.24, 0.36], vertical_alignment="bottom", gap="medium")
        with first:
            step = _choose_step(name, steps)
        try:
            batch = _batch(folder, step)
        except ValueError as problem:
            st.error(literal(as_sentence(problem)), icon=":material/error:")
            return
        with second:
            trace = _choose_image(name, batch)
        with third:
            stage = st.segmented_control(
                "Stage",
                (_ANCHORS, _ROIS),
                default=_ANCHORS,
                required=True,
                key=_STAGE,
                persist_state="session",
            )
    left, right = st.columns([0.56, 0.44], gap="small")
    with right, st.container(border=True, height="stretch"):
        shares = object_shares(trace)
        st.subheader("What each object got", anchor=False)
        st.markdown(share_words(trace, shares))
        if shares:
            table = share_table(shares)
            note_table("train.samples", table)
            st.dataframe(
                table, hide_index=True, height=min(420, 37 + 35 * len(table)), column_config=_COLUMNS
            )
        st.caption(
            "An object that no drawn anchor stands for teaches the RPN nothing in this step; one without proposals "
            "teaches the second stage only its own box."
        )
    with left, st.container(border=True, height="stretch"):
        st.subheader(f"{literal(trace.input.name)}, as step {step:,} learned from it", anchor=False)
        groups = _groups(trace, stage or _ANCHORS)
        poor = neglected_group(trace, shares)
        show_picture(
            trace.input.pixels,
            [*groups, *([poor] if poor else [])],
            key="train.xray_picture",
            on_pick=_nothing,
        )


def _choose_step(name: str, steps: tuple[int, ...]) -> int:
    if len(steps) == 1:
        st.caption(f"Step {steps[0]:,}, the only one that was kept.")
        return steps[0]
    key = f"{_STEP}.{name}"
    if state.widget(key) not in steps:
        state.set_widget(key, steps[-1])
    return int(st.select_slider("Step", steps, key=key, format_func=lambda step: f"{step:,}"))


def _choose_image(name: str, batch: SampledBatch) -> Trace:
    place = st.segmented_control(
        "Image of the batch", range(len(batch.images)), default=0, required=True,
        key=f"{_IMAGE}.{name}.{len(batch.images)}", persist_state="session",
        format_func=lambda place: str(place + 1),
    )  # fmt: skip
    return batch.images[place or 0]


def _groups(trace: Trace, stage: str) -> list[BoxGroup]:
    """The drawn samples of one stage; the objects beneath them."""
    kinds = _ANCHOR_KINDS if stage == _ANCHORS else _ROI_KINDS
    shown = st.pills(
        "Kinds", kinds, selection_mode="multi", default=["positives", "negatives"], key=f"{_KINDS}.{stage}",
        persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    truth = ground_truth_group(trace.ground_truth, trace.categories)
    if stage == _ANCHORS:
        return [*sample_groups(trace, [kind for kind in _ANCHOR_KINDS if kind in shown]), *truth]
    assert trace.training is not None
    rois = trace.training.rois
    return [*roi_sample_groups(trace, rois, roi_losses(rois), roi_origins(trace), tuple(shown)), *truth]


def _batch(folder: Path, step: int) -> SampledBatch:
    """Read once, and again where the run came to this step anew."""
    try:
        written = batch_folder(folder, step).stat().st_mtime_ns
    except OSError:
        written = 0
    return _read(folder, step, written)


@lru_cache(maxsize=3)
def _read(folder: Path, step: int, written: int) -> SampledBatch:
    del written
    return sampled_batch(folder, step)


def _nothing(x: float, y: float) -> None:
    """A click selects nothing: what the app looks at is the sidebar's image."""
