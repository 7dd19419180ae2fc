"""The duels of NMS: who removed whom, with overlap and score gap.

Shapes: `N` anchors, `n` duels. Boxes are in the **image** frame; overlaps are those of the **network** frame,
where NMS compares.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.tracing.filters import Ledger, ProposalFate
from detector.tracing.replay import Replay
from viz_app.figures.palette import ACCENT, LIGHT_HALO, fate_color
from viz_app.figures.picture import BoxGroup
from viz_app.figures.rpn import anchor_hover, anchor_items
from viz_app.figures.words import size_words


@dataclass(frozen=True, slots=True)
class Duel:
    """One box that NMS removed, and the box that removed it.

    Args:
        suppressed, suppressor: anchor indices.
        iou: overlap of their boxes, as NMS saw it (network frame).
        gap: objectness of the suppressor minus that of the suppressed.
    """

    suppressed: int
    suppressor: int
    iou: float
    gap: float


@dataclass(frozen=True, slots=True, eq=False)
class Victory:
    """One box that NMS kept, and all boxes that it removed.

    Args:
        winner: anchor index.
        lost: int64 [n], anchor indices, the nearest in objectness first.
        ious: float [n], overlaps with the winner.
        gaps: float [n], objectness of the winner minus that of each.
    """

    winner: int
    lost: Tensor
    ious: Tensor
    gaps: Tensor


def duel(replay: Replay, anchor: int) -> Duel | None:
    """Who suppressed this anchor's box; None where NMS did not remove it."""
    ledger = replay.proposals
    suppressor = int(ledger.suppressor_of(torch.tensor([anchor]))[0])
    if suppressor < 0:
        return None
    overlap = box_iou(ledger.boxes[[anchor]], ledger.boxes[[suppressor]])
    return Duel(anchor, suppressor, float(overlap), float(ledger.scores[suppressor] - ledger.scores[anchor]))


def victory(replay: Replay, anchor: int) -> Victory | None:
    """What this anchor's box suppressed, or, where it was suppressed itself, what its suppressor did.

    None where NMS had nothing to do with it.
    """
    ledger = replay.proposals
    suppressor = int(ledger.suppressor_of(torch.tensor([anchor]))[0])
    winner = anchor if suppressor < 0 else suppressor
    if not _won(ledger, winner):
        return None
    lost = ledger.suppressed_by(winner)
    gaps = ledger.scores[winner] - ledger.scores[lost]
    order = gaps.argsort(stable=True)
    lost = lost[order]
    ious = box_iou(ledger.boxes[[winner]], ledger.boxes[lost])[0]
    return Victory(winner, lost, ious, gaps[order])


def _won(ledger: Ledger[ProposalFate], anchor: int) -> bool:
    return int(ledger.fate[anchor]) in (int(ProposalFate.KEPT), int(ProposalFate.OVER_LIMIT))


def victory_groups(replay: Replay, found: Victory, anchor: int) -> list[BoxGroup]:
    """What was suppressed, in the colour of its fate, and the winner, where it is not the selected `anchor`."""
    trace, index = replay.trace, torch.tensor([found.winner])
    lost = found.lost[found.lost != anchor]
    groups = [
        BoxGroup(
            trace.to_image(replay.proposals.boxes[lost]), "suppressed by it" if anchor == found.winner else
            "suppressed by the same box", fate_color(ProposalFate.SUPPRESSED), width=1.25, opacity=0.85,
            hover=anchor_hover(replay, lost), items=anchor_items(lost),
        )
    ]  # fmt: skip
    if anchor != found.winner:
        overlap = float(found.ious[found.lost == anchor][0])
        groups.append(
            BoxGroup(
                trace.to_image(replay.proposals.boxes[index]), "its suppressor", ACCENT, width=3,
                halo=LIGHT_HALO, counted=False, labels=(f"won: IoU {overlap:.2f}",),
                hover=anchor_hover(replay, index), items=anchor_items(index),
            )
        )  # fmt: skip
    return groups


def victory_anchors(found: Victory) -> Tensor:
    """The winner, then what it suppressed, int64 [1 + n]: the rows of `victory_table`."""
    return torch.cat((torch.tensor([found.winner]), found.lost))


def victory_table(replay: Replay, found: Victory) -> pd.DataFrame:
    """The winner and, below it, one row for each box that it suppressed: score gap to the winner, and overlap."""
    trace, anchors = replay.trace, victory_anchors(found)
    boxes = trace.to_image(replay.proposals.boxes[anchors]).tolist()
    return pd.DataFrame(
        {
            "NMS": ["won", *["suppressed"] * len(found.lost)],
            "objectness": replay.proposals.scores[anchors].float().tolist(),
            "score gap": [0.0, *found.gaps.float().tolist()],
            "IoU": [1.0, *found.ious.float().tolist()],
            "box, px": [size_words(box) for box in boxes],
            "anchor": anchors.tolist(),
        }
    )
