"""RPN: objectness over the image, the strongest anchors, what the filters removed, what training draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.tracing.filters import ProposalFate
from viz_app.app_pages.parts import BAR, IOU, PROBABILITY, image_key, select_row, show_picture
from viz_app.app_pages.rpn_explained import explain_rpn
from viz_app.app_pages.rpn_training import training_view_of
from viz_app.figures import rpn as figures
from viz_app.figures.palette import fate_words
from viz_app.figures.picture import CONFIG, BoxGroup
from viz_app.figures.rpn_filter import (
    MOST_BOXES,
    duel,
    fate_groups,
    ground_truth_group,
    recall_figure,
    recall_steps,
    strongest,
    suppressor_groups,
)
from viz_app.figures.rpn_tables import anchor_table, delta_table, level_table

if TYPE_CHECKING:
    from torch import Tensor

    from detector.tracing.replay import Replay
    from viz_app.scene import Scene

    View = Callable[[Scene], tuple[list[BoxGroup], Tensor | None]]

_ROWS = 200
_COUNT = st.column_config.NumberColumn(format="localized")
_STRIDE = st.column_config.NumberColumn(format="%g", help="network frame")
_LEVEL_COLUMNS = {"stride, px": _STRIDE, "best": BAR, "anchors": _COUNT, "top-n": _COUNT, "proposals": _COUNT}
_ANCHOR_COLUMNS = {
    "objectness": PROBABILITY,
    "best IoU": IOU,
    "anchor": st.column_config.NumberColumn(format="localized", help="index among all anchors"),
}


def render(scene: Scene) -> None:
    """Draw the page."""
    _stage(scene)


# A fragment: choosing a view, a level or a row draws this page again and nothing else.
@st.fragment
def _stage(scene: Scene) -> None:
    left, right = st.columns([0.5, 0.5], gap="medium")
    with right, st.container(border=True, height="stretch"):
        view = st.segmented_control(
            "View",
            list(_VIEWS),
            default="Filters",
            required=True,
            key="rpn.view",
            persist_state="session",
            label_visibility="collapsed",
        )
        groups, overlay = _VIEWS[view or "Filters"](scene)
    with left, st.container(border=True, height="stretch"):
        scale = figures.scale_html() if view == "Objectness" else ""
        show_picture(scene.trace.input.pixels, groups, key="rpn.picture", overlay=overlay, scale=scale)
    _numbers(scene)
    with st.expander("What happens here"):
        st.markdown(explain_rpn(scene))


def _objectness(scene: Scene) -> tuple[list[BoxGroup], Tensor | None]:
    trace = scene.trace
    levels = range(len(trace.rpn.grid))
    level = st.pills(
        "Pyramid level",
        levels,
        default=0,
        required=True,
        format_func=lambda index: f"{index} · stride {figures.stride(trace, index):.0f}",
        key=f"rpn.level.{len(levels)}",
        persist_state="session",
    )
    level = level or 0
    kinds = figures.anchor_kinds(trace, level)
    columns = st.columns(2)
    kind = columns[0].selectbox(
        "Anchor, px, network frame",
        [None, *range(len(kinds))],
        format_func=lambda index: f"strongest of {len(kinds)}" if index is None else kinds[index],
        key=f"rpn.kind.{level}",
        persist_state="session",
    )
    opacity = columns[1].slider("Opacity", 0.0, 1.0, 0.75, 0.05, key="rpn.opacity", persist_state="session")
    anchors = figures.top_anchors(scene.replay, _ROWS, level)
    st.caption(f"The {len(anchors)} strongest anchors of level {level}; select one to see it.")
    groups = _picked(scene, anchors, f"objectness.{level}")
    return groups, figures.objectness_overlay(trace, level, kind, opacity=opacity)


def _strongest(scene: Scene) -> tuple[list[BoxGroup], Tensor | None]:
    columns = st.columns(2)
    count = columns[0].slider(
        "Anchors of highest objectness", 1, _ROWS, 20, key="rpn.count", persist_state="session"
    )
    shown = columns[1].pills(
        "Show",
        ["before", "after"],
        selection_mode="multi",
        default=["before", "after"],
        help="Dotted: the anchors. Solid: the boxes after their deltas, clipped to the image.",
        key="rpn.shown",
        persist_state="session",
    )
    anchors = figures.top_anchors(scene.replay, count)
    groups = figures.top_groups(scene.replay, anchors, before="before" in shown, after="after" in shown)
    groups += _picked(scene, anchors, "strongest")
    return groups, None


def _filters(scene: Scene) -> tuple[list[BoxGroup], Tensor | None]:
    counts = scene.replay.proposals.counts()
    present = [fate for fate, count in counts.items() if count]
    chosen = st.pills(
        "What became of the boxes",
        present,
        selection_mode="multi",
        default=[fate for fate in present if fate is ProposalFate.KEPT],
        format_func=lambda fate: f"{fate_words(fate)} {counts[fate]:,}",
        key="rpn.fates",
        persist_state="session",
    )
    most = st.slider(
        "Boxes of highest objectness, of each fate",
        10,
        MOST_BOXES,
        50,
        10,
        key="rpn.most",
        persist_state="session",
    )
    groups = fate_groups(scene.replay, chosen, most)
    groups += ground_truth_group(scene.trace.ground_truth, scene.trace.categories)
    anchors = _strongest_of(scene.replay, chosen)
    if len(anchors) == 0:
        st.info("Nothing to show: choose a fate above, or lower the RPN's thresholds in the sidebar.")
    else:
        names = ".".join(fate.name for fate in chosen)
        groups += _picked(scene, anchors, f"filters.{names}")
    return groups, None


def _samples(scene: Scene) -> tuple[list[BoxGroup], Tensor | None]:
    groups = training_view_of(scene)
    return groups, None


def _strongest_of(replay: Replay, fates: list[ProposalFate]) -> Tensor:
    """The strongest anchors of some fates together, best first."""
    members = torch.cat([torch.zeros(0).long(), *(strongest(replay, fate, _ROWS) for fate in fates)])
    order = replay.proposals.scores[members].argsort(descending=True, stable=True)
    return members[order[:_ROWS]]


def _picked(scene: Scene, anchors: Tensor, name: str) -> list[BoxGroup]:
    """The table of these anchors, and what is drawn for the selected row: anchor, box, and its suppressor."""
    replay = scene.replay
    row = select_row(anchor_table(replay, anchors), f"rpn.{name}.{image_key(scene.trace)}", _ANCHOR_COLUMNS)
    if row is None:
        return []
    anchor = int(anchors[row])
    level, y, x, _ = replay.trace.rpn.cell_of(anchors[row]).tolist()
    place = f"Anchor {anchor:,} of level {level}, cell ({y}, {x})"
    groups = figures.selected_groups(replay, anchor)
    found = duel(replay, anchor)
    if found is not None:
        st.markdown(
            f"{place} was **suppressed by anchor {found.suppressor:,}**: IoU {found.iou:.3f} is "
            f"over {replay.thresholds.rpn_nms:g}, and its objectness is {found.gap:.3f} higher."
        )
        groups = suppressor_groups(replay, found) + groups
    else:
        fate = fate_words(ProposalFate(int(replay.proposals.fate[anchor])))
        removed = len(replay.proposals.suppressed_by(anchor))
        st.markdown(f"{place}: **{fate}**" + (f"; it suppressed {removed:,}." if removed else "."))
    with st.expander("From anchor to box"):
        st.dataframe(delta_table(replay, anchor), hide_index=True)
    return groups


def _numbers(scene: Scene) -> None:
    """Levels, scores, and how well the boxes cover the objects."""
    replay, truth = scene.replay, scene.trace.ground_truth
    with st.container(border=True):
        st.subheader("Levels", anchor=False)
        st.dataframe(level_table(replay), hide_index=True, column_config=_LEVEL_COLUMNS)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Objectness", anchor=False)
        st.plotly_chart(figures.objectness_histogram(replay), config=CONFIG, key="rpn.scores")
        st.caption("Grey: all anchors. Blue: those that became proposals.")
    with right, st.container(border=True, height="stretch"):
        st.subheader("Objects covered", anchor=False)
        if truth is None or not bool((~truth.crowd).any()):
            st.info(
                "No ground truth for this image. With annotated objects, this counts those still covered."
            )
            return
        steps = recall_steps(replay, truth)
        st.plotly_chart(recall_figure(steps), config=CONFIG, key="rpn.recall")


_VIEWS: dict[str, View] = {
    "Filters": _filters,
    "Objectness": _objectness,
    "Strongest anchors": _strongest,
    "Training samples": _samples,
}
