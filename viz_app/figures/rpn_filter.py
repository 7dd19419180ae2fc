"""What the RPN's filters did to its boxes: coloured by fate, step by step, and under other score floors.

Shapes: `N` anchors, `G` objects. Boxes are in the **image** frame unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import Tensor

from detector.data.ground_truth import GroundTruth
from detector.tracing.filters import Ledger, ProposalFate
from detector.tracing.replay import Replay, Replayer
from viz_app.figures.palette import ACCENT, DARK_HALO, GROUND_TRUTH, fate_color, fate_words
from viz_app.figures.picture import BoxGroup
from viz_app.figures.rpn import anchor_hover, anchor_items, moved_boxes
from viz_app.links import Selected

MOST_BOXES = 600
"""Boxes drawn of each fate: more make a picture that nobody can read."""

FLOORS = (0.0, 0.1, 0.5, 0.9)
"""Score floors that are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class FilterStep:
    """One step of the filter, in the order the model takes them.

    Args:
        name: of the step.
        left: int64 [n], the anchors whose boxes it leaves, by objectness.
        fate: of those that it removes; None where it removes none.
        clipped: whether the boxes are clipped to the image by then.
    """

    name: str
    left: Tensor
    fate: ProposalFate | None
    clipped: bool = True


def by_score(ledger: Ledger[ProposalFate], members: Tensor) -> Tensor:
    """Some anchors by objectness, the strongest first."""
    return members[ledger.scores[members].argsort(descending=True, stable=True)]


def strongest(replay: Replay, fate: ProposalFate, limit: int = MOST_BOXES) -> Tensor:
    """The anchors of one fate, int64, by objectness, at most `limit`."""
    if fate is ProposalFate.KEPT:
        return replay.proposals.kept[:limit]
    return by_score(replay.proposals, replay.proposals.with_fate(fate))[:limit]


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
                items=anchor_items(anchors),
            )
        )  # fmt: skip
    return groups


def filter_steps(replay: Replay) -> list[FilterStep]:
    """The steps of `RegionProposalNetwork.filter_proposals` and what each of them left."""
    ledger = replay.proposals
    below, small = int(ProposalFate.BELOW_TOP_N), int(ProposalFate.TOO_SMALL)
    ranked = by_score(ledger, (ledger.fate != below).nonzero().flatten())
    large = ranked[ledger.fate[ranked] != small]
    entrants = by_score(ledger, ledger.entrants)
    return [
        FilterStep("top-n", ranked, ProposalFate.BELOW_TOP_N, clipped=False),
        FilterStep("clip", ranked, None),
        FilterStep("small", large, ProposalFate.TOO_SMALL),
        FilterStep("score", entrants, ProposalFate.LOW_SCORE),
        FilterStep("NMS", ledger.winners, ProposalFate.SUPPRESSED),
        FilterStep("limit", ledger.kept, ProposalFate.OVER_LIMIT),
    ]


def step_groups(replay: Replay, step: FilterStep, limit: int = MOST_BOXES) -> list[BoxGroup]:
    """The strongest boxes that a step left, on top of the strongest that it removed."""
    left = step.left[:limit]
    boxes = replay.trace.to_image(replay.proposals.boxes[left]) if step.clipped else moved_boxes(replay, left)
    group = BoxGroup(
        boxes, f"left after {step.name}", ACCENT, width=1.5, opacity=0.9, total=len(step.left),
        hover=anchor_hover(replay, left), items=anchor_items(left),
    )  # fmt: skip
    return [*([] if step.fate is None else fate_groups(replay, [step.fate], limit)), group]


def proposals_over(replayer: Replayer, replay: Replay, floors: Sequence[float] = FLOORS) -> list[Tensor]:
    """The proposals, int64, best first, under each of several score floors and otherwise equal thresholds."""
    return [replayer.proposals(replay.thresholds.replace(rpn_score=floor)).kept for floor in floors]


def floor_groups(replay: Replay, proposals: Tensor, limit: int = MOST_BOXES) -> list[BoxGroup]:
    """The strongest of some proposals."""
    anchors = proposals[:limit]
    return [
        BoxGroup(
            replay.trace.to_image(replay.proposals.boxes[anchors]), "proposals", ACCENT, width=1.25,
            total=len(proposals), hover=anchor_hover(replay, anchors), items=anchor_items(anchors),
        )
    ]  # fmt: skip


def ground_truth_group(ground_truth: GroundTruth | None, categories: tuple[str, ...]) -> list[BoxGroup]:
    """The objects, dashed white on dark; no group without ground truth."""
    if ground_truth is None:
        return []
    names = tuple(f"#{g} {categories[int(label)]}" for g, label in enumerate(ground_truth.labels))
    return [
        BoxGroup(
            ground_truth.boxes, "ground truth", GROUND_TRUTH, dash="dash", halo=DARK_HALO,
            hover=tuple(f"ground truth {name}" for name in names),
            items=tuple(
                None if crowd else Selected("object", g) for g, crowd in enumerate(ground_truth.crowd.tolist())
            ),
        )
    ]  # fmt: skip
