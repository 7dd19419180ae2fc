"""What would help a whole data set: changes of one threshold that were tried, and anchors that fit its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from viz_app.app_pages.parts import select_row
from viz_app.figures.remedy_words import FIELD_WORDS, number_words
from viz_app.problems import literal
from viz_app.sidebar.knobs import move_sliders
from viz_app.sidebar.training import open_panel_with_anchors

if TYPE_CHECKING:
    from detector.judging.summary import AnchorFit, Recommendation
    from detector.tracing.thresholds import Thresholds
    from viz_app.app_pages.dataset_shown import ShownRun
    from viz_app.scene import Scene

_GAIN = st.column_config.NumberColumn(format="%+.3f", width=64)


def show_advice(run: ShownRun, scene: Scene | None) -> None:
    """Draw the card."""
    with st.container(border=True, height="stretch"):
        st.subheader("One threshold at a time", anchor=False)
        _recommendations(run, scene)
        if run.summary.anchors is not None:
            st.subheader("Anchors for these objects", anchor=False)
            _anchors(run, run.summary.anchors)


def recommendation_table(recommendations: tuple[Recommendation, ...]) -> pd.DataFrame:
    """One row for each change that was tried: the threshold, what comes, what goes, and AP."""
    return pd.DataFrame(
        {
            "threshold": [FIELD_WORDS[one.field] for one in recommendations],
            "change": [
                f"{number_words(_plain(one.before))} → {number_words(_plain(one.after), one.before)}"
                for one in recommendations
            ],
            "true": [_moves(one.came_true, one.went_true) for one in recommendations],
            "false": [_moves(one.came_false, one.went_false) for one in recommendations],
            "AP": [one.AP_after for one in recommendations],
            "gain": [one.gain for one in recommendations],
        }
    )


def changed_thresholds(thresholds: Thresholds, one: Recommendation) -> Thresholds:
    """The thresholds of a diagnosis with one change."""
    return thresholds.replace(**{one.field: _plain(one.after)})


def _recommendations(run: ShownRun, scene: Scene | None) -> None:
    tried = run.summary.recommendations
    if not tried:
        st.caption("No change of a single threshold brings a lost object back, or none was tried.")
        return
    place = select_row(
        recommendation_table(tried),
        f"dataset.recommendations.{run.name}",
        {"AP": st.column_config.NumberColumn(format="%.3f", width=56), "gain": _GAIN},
        required=True,
    )
    one = tried[place or 0]
    can = run.of_sidebar and scene is not None and scene.model is not None
    st.button(
        f"Apply {FIELD_WORDS[one.field]} {number_words(_plain(one.after), one.before)}",
        key="dataset.apply", icon=":material/tune:", disabled=not can, on_click=move_sliders,
        args=(changed_thresholds(run.summary.thresholds, one),),
    )  # fmt: skip
    model = run.summary.model if run.job is None else run.job.model
    why_not = "" if can else f" To apply one, choose *{literal(model)}* in the sidebar."
    st.caption(
        f"Each was tried on all {run.summary.images:,} images; best AP first. True and false detections that come "
        f"and go. Apply moves the sliders.{why_not}"
    )


def _anchors(run: ShownRun, fit: AnchorFit) -> None:
    """Sizes and ratios as torchvision takes them, with the recall that they would give."""
    sizes = "; ".join(", ".join(f"{size:.0f}" for size in level) for level in fit.sizes)
    ratios = ", ".join(f"{ratio:.2f}" for ratio in fit.ratios)
    better = fit.recall_after > fit.recall_before + 1e-9
    rest = (
        f"with the shapes below, **{fit.recall_after:.1%}**" if better else "and no better shapes were found"
    )
    st.markdown(f"**{fit.recall_before:.1%}** of the objects have an anchor that fits; {rest}.")
    if better:
        st.code(f"anchor sizes   {sizes}\naspect ratios  {ratios}", language=None)
        st.caption(
            "Sides in pixels of the network's input, a semicolon after each level; height / width. k-means on IoU "
            "(Redmon & Farhadi 2017). A model has to be trained with them."
        )
        st.button(
            "Train with these anchors …", key="dataset.train", icon=":material/model_training:",
            disabled=not run.of_sidebar, on_click=open_panel_with_anchors, args=(fit.sizes, fit.ratios),
            help="Opens the Train panel with them." if run.of_sidebar else "They are for another detector: choose "
            "the diagnosed one in the sidebar.",
        )  # fmt: skip


def _moves(came: int, went: int) -> str:
    """What comes and goes, such as `+12 −3`."""
    parts = [f"+{came:,}" if came else "", f"−{went:,}" if went else ""]
    return " ".join(filter(None, parts)) or "±0"


def _plain(value: float) -> float:
    """Counts as whole numbers: a file has them as it pleases."""
    return int(value) if float(value).is_integer() and value > 1 else value
