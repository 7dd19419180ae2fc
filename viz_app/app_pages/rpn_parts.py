"""What the views of the RPN page share: what a view hands back, the table of anchors, the selected anchor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.tracing.filters import ProposalFate
from viz_app import state
from viz_app.app_pages.parts import IOU, PROBABILITY, linked_table
from viz_app.figures import rpn as figures
from viz_app.figures.palette import fate_words
from viz_app.figures.rpn_duels import duel, victory, victory_anchors, victory_groups, victory_table
from viz_app.figures.rpn_tables import anchor_table, delta_table

if TYPE_CHECKING:
    from torch import Tensor

    from detector.tracing.replay import Replay
    from viz_app.figures.picture import BoxGroup
    from viz_app.scene import Scene

ROWS = 200
ANCHOR = st.column_config.NumberColumn(format="localized", help="index among all anchors", width="small")
COUNT = st.column_config.NumberColumn(format="localized")
STRIDE = st.column_config.NumberColumn(format="%g", help="network frame")
_COLUMNS = {"objectness": PROBABILITY, "best IoU": IOU, "anchor": ANCHOR}


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What a view wants to be drawn.

    Args:
        groups: boxes on the picture.
        overlay: uint8 [h, w, 4] RGBA beneath them, or None.
        scale: HTML that says what the overlay's colours mean.
        below: draws charts and tables below picture and controls.
        picked: told where the picture was clicked, (x, y) in the image frame; the click then selects no box.
    """

    groups: list[BoxGroup]
    overlay: Tensor | None = None
    scale: str = ""
    below: Callable[[], None] | None = None
    picked: Callable[[float, float], None] | None = None


def selected_anchor(scene: Scene) -> int | None:
    """The anchor that the selection is about, if it is about one of this image."""
    selected = state.selection()
    anchor = None if selected is None else selected.anchor
    return anchor if anchor is not None and anchor < len(scene.trace.rpn.anchors) else None


def linked_anchors(scene: Scene, anchors: Tensor, name: str, groups: list[BoxGroup]) -> list[BoxGroup]:
    """The table of these anchors, and a sentence on the selected one.

    Returns:
        What is to be drawn: `groups`, faint under the boxes and duels of an anchor that is selected.
    """
    items = figures.anchor_items(anchors)
    linked_table(anchor_table(scene.replay, anchors), items, f"rpn.{name}", _COLUMNS)
    chosen = selected_groups(scene)
    return figures.quiet(groups) + chosen if chosen else groups


def selected_groups(scene: Scene) -> list[BoxGroup]:
    """One sentence on the selected anchor, wherever it was selected; its boxes and its duels on the picture."""
    anchor = selected_anchor(scene)
    if anchor is None:
        return []
    replay = scene.replay
    st.markdown(anchor_words(replay, anchor))
    found = victory(replay, anchor)
    duels = [] if found is None else victory_groups(replay, found, anchor)
    return duels + figures.selected_groups(replay, anchor)


def anchor_words(replay: Replay, anchor: int) -> str:
    """Where an anchor sits and what became of its box."""
    level, y, x, _ = replay.trace.rpn.cell_of(torch.tensor(anchor)).tolist()
    place = f"Anchor {anchor:,} of level {level}, cell ({y}, {x})"
    lost = duel(replay, anchor)
    if lost is not None:
        return (
            f"{place} was **suppressed by anchor {lost.suppressor:,}**: IoU {lost.iou:.3f} is over "
            f"{replay.thresholds.rpn_nms:g}, and its objectness is {lost.gap:.3f} higher."
        )
    fate = fate_words(ProposalFate(int(replay.proposals.fate[anchor])))
    won = victory(replay, anchor)
    removed = "" if won is None or len(won.lost) == 0 else f"; it suppressed **{len(won.lost):,}**"
    return f"{place}: **{fate}**{removed}."


def selected_details(scene: Scene) -> None:
    """How the selected anchor became its box, and its duels in NMS, side by side; nothing without a selection."""
    anchor = selected_anchor(scene)
    if anchor is None:
        return
    replay = scene.replay
    left, right = st.columns([0.46, 0.54], gap="small")
    with left, st.container(border=True, height="stretch"):
        st.subheader("From anchor to box", anchor=False)
        numbers = {name: st.column_config.NumberColumn(format="%.3f") for name in ("x", "y", "w", "h")}
        st.dataframe(delta_table(replay, anchor), hide_index=True, column_config=numbers)
    with right, st.container(border=True, height="stretch"):
        st.subheader("Duels in NMS", anchor=False)
        found = victory(replay, anchor)
        if found is None:
            fate = fate_words(ProposalFate(int(replay.proposals.fate[anchor])))
            st.caption(f"This box never came to NMS: {fate}.")
            return
        if len(found.lost) == 0:
            st.caption("This box suppressed no other, and none suppressed it.")
            return
        linked_table(
            victory_table(replay, found),
            figures.anchor_items(victory_anchors(found)),
            "rpn.duels",
            {
                "objectness": PROBABILITY,
                "score gap": st.column_config.NumberColumn(format="%.3f", help="to the winner"),
                "IoU": st.column_config.NumberColumn(format="%.3f", help="with the winner, network frame"),
                "anchor": ANCHOR,
            },
        )
