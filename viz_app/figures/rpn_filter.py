"""What the RPN's filters did to its boxes, coloured by fate; who suppressed whom; how many objects are left.

Shapes: `N` anchors, `G` objects. Boxes are in the **image** frame unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import plotly.graph_objects as go
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.data.ground_truth import GroundTruth
from detector.tracing.filters import ProposalFate
from detector.tracing.replay import Replay
from viz_app.figures.charts import calm
from viz_app.figures.palette import (
    ACCENT,
    DARK_HALO,
    GREY,
    GROUND_TRUTH,
    LIGHT_HALO,
    fate_color,
    fate_words,
)
from viz_app.figures.picture import BoxGroup
from viz_app.figures.rpn import anchor_hover

MOST_BOXES = 600
"""Boxes drawn of each fate: more make a picture that nobody can read."""


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
class RecallStep:
    """How well the boxes that are left after one step cover the objects.

    Args:
        name: the step.
        boxes: how many boxes are left.
        best: float [G], highest IoU of each object with any of them; 0 where none is left.
    """

    name: str
    boxes: int
    best: Tensor

    def found(self, iou: float) -> int:
        """Objects covered with an IoU of at least `iou`."""
        return int((self.best >= iou).sum())


def strongest(replay: Replay, fate: ProposalFate, limit: int = MOST_BOXES) -> Tensor:
    """The anchors of one fate, int64, by objectness, at most `limit`."""
    if fate is ProposalFate.KEPT:
        return replay.proposals.kept[:limit]
    members = replay.proposals.with_fate(fate)
    order = replay.proposals.scores[members].argsort(descending=True, stable=True)
    return members[order[:limit]]


def fate_groups(replay: Replay, fates: Collection[ProposalFate], limit: int = MOST_BOXES) -> list[BoxGroup]:
    """The boxes of each fate in its colour, what was kept on top."""
    groups = []
    counts = replay.proposals.counts()
    for fate in sorted(fates, reverse=True):
        anchors = strongest(replay, fate, limit)
        boxes = replay.trace.to_image(replay.proposals.boxes[anchors])
        kept = fate is ProposalFate.KEPT
        groups.append(
            BoxGroup(
                boxes, fate_words(fate), fate_color(fate), width=1.5 if kept else 1,
                opacity=0.9 if kept else 0.55, hover=anchor_hover(replay, anchors), total=counts[fate],
            )
        )  # fmt: skip
    return groups


def duel(replay: Replay, anchor: int) -> Duel | None:
    """Who suppressed this anchor's box; None where NMS did not remove it."""
    ledger = replay.proposals
    suppressor = int(ledger.suppressor_of(torch.tensor([anchor]))[0])
    if suppressor < 0:
        return None
    overlap = box_iou(ledger.boxes[[anchor]], ledger.boxes[[suppressor]])
    return Duel(anchor, suppressor, float(overlap), float(ledger.scores[suppressor] - ledger.scores[anchor]))


def suppressor_groups(replay: Replay, found: Duel) -> list[BoxGroup]:
    """The box that won a duel."""
    index = torch.tensor([found.suppressor])
    box = replay.trace.to_image(replay.proposals.boxes[index])
    label = (f"won: IoU {found.iou:.2f}",)
    hover = anchor_hover(replay, index)
    return [
        BoxGroup(
            box, "its suppressor", ACCENT, counted=False, width=3, halo=LIGHT_HALO, hover=hover, labels=label
        )
    ]


def ground_truth_group(ground_truth: GroundTruth | None, categories: tuple[str, ...]) -> list[BoxGroup]:
    """The objects, dashed white on dark; no group without ground truth."""
    if ground_truth is None:
        return []
    names = tuple(f"#{g} {categories[int(label)]}" for g, label in enumerate(ground_truth.labels))
    hover = tuple(f"ground truth {name}" for name in names)
    return [
        BoxGroup(ground_truth.boxes, "ground truth", GROUND_TRUTH, dash="dash", halo=DARK_HALO, hover=hover)
    ]


def recall_steps(replay: Replay, ground_truth: GroundTruth) -> list[RecallStep]:
    """Coverage of the objects (crowd regions left out) at each step of the RPN."""
    ledger, trace = replay.proposals, replay.trace
    objects = ground_truth.boxes[~ground_truth.crowd].to(ledger.boxes)
    ranked = (ledger.fate != int(ProposalFate.BELOW_TOP_N)).nonzero().flatten()
    steps = [("anchors", trace.rpn.anchors), ("decoded boxes", ledger.boxes)]
    for name, members in (("after top-n", ranked), ("after NMS", ledger.winners), ("proposals", ledger.kept)):
        steps.append((name, ledger.boxes[members]))
    return [RecallStep(name, len(boxes), _best(trace.to_image(boxes), objects)) for name, boxes in steps]


def recall_figure(steps: list[RecallStep], iou: float = 0.5) -> go.Figure:
    """Objects covered at each step, as bars; a lost object turns the rest of the bar grey."""
    objects = len(steps[0].best)
    found = [step.found(iou) for step in steps]
    names = [step.name for step in steps]
    texts = [f"{count} of {objects}" for count in found]
    hover = [
        f"{step.name}: {step.boxes:,} boxes<br>{count} of {objects} objects with IoU ≥ {iou:g}<extra></extra>"
        for step, count in zip(steps, found, strict=True)
    ]
    figure = go.Figure()
    figure.add_bar(
        y=names, x=found, orientation="h", name="covered", text=texts, textposition="auto",
        hovertemplate=hover, marker={"color": ACCENT},
    )  # fmt: skip
    missing = [objects - count for count in found]
    figure.add_bar(
        y=names, x=missing, orientation="h", name="not covered", marker={"color": GREY}, opacity=0.25,
        hovertemplate=hover,
    )  # fmt: skip
    figure.update_layout(barmode="stack")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(dtick=max(1, objects // 8))
    return calm(figure, x=f"objects with a box of IoU ≥ {iou:g}").update_layout(bargap=0.45)


def _best(boxes: Tensor, objects: Tensor) -> Tensor:
    if len(boxes) == 0 or len(objects) == 0:
        return objects.new_zeros(len(objects))
    return box_iou(objects, boxes).amax(dim=1)
