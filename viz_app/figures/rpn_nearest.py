"""What comes nearest to an object: its closest anchors, its best proposals, and the anchors these came from.

Shapes: `N` anchors, `G` objects, `n` near boxes. Boxes and overlaps are in the **image** frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.data.ground_truth import GroundTruth
from detector.tracing.filters import ProposalFate
from detector.tracing.replay import Replay
from viz_app.figures.palette import (
    ACCENT,
    DARK_HALO,
    FOUND,
    GROUND_TRUTH,
    LIGHT_HALO,
    LOST,
    PURPLE,
    fate_words,
)
from viz_app.figures.picture import BoxGroup
from viz_app.figures.rpn import anchor_hover, anchor_items
from viz_app.figures.rpn_coverage import RecallStep, real_objects
from viz_app.figures.words import size_words
from viz_app.links import Selected

NEAREST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """What comes nearest to one object.

    Args:
        anchors: int64 [n], the anchors of highest IoU, best first.
        anchor_ious: float [n].
        proposals: int64 [n], anchor indices of the proposals of highest IoU, best first.
        proposal_ious: float [n].
    """

    anchors: Tensor
    anchor_ious: Tensor
    proposals: Tensor
    proposal_ious: Tensor


def nearest_to(replay: Replay, box: Tensor, count: int = NEAREST) -> Nearest:
    """The anchors and the proposals that overlap one box, float [4], the most.

    Those that do not overlap it at all are left out.
    """
    trace, ledger = replay.trace, replay.proposals
    every = torch.arange(len(trace.rpn.anchors))
    return Nearest(
        *_top(every, trace.to_image(trace.rpn.anchors), box, count),
        *_top(ledger.kept, trace.to_image(ledger.boxes[ledger.kept]), box, count),
    )


def _top(members: Tensor, boxes: Tensor, box: Tensor, count: int) -> tuple[Tensor, Tensor]:
    if len(members) == 0:
        return members, boxes.new_zeros(0)
    found = box_iou(box[None].to(boxes), boxes)[0].topk(min(count, len(members)))
    touching = found.values > 0
    return members[found.indices[touching]], found.values[touching]


def focused_object(replay: Replay, selected: Selected | None) -> int | None:
    """The object that a selection is about: itself, or the one that the selected anchor's box overlaps most."""
    truth = replay.trace.ground_truth
    if truth is None or selected is None or not bool((~truth.crowd).any()):
        return None
    if selected.kind == "object":
        return selected.index
    if selected.anchor is None:
        return None
    members = real_objects(truth)
    box = replay.trace.to_image(replay.proposals.boxes[[selected.anchor]])
    overlaps = box_iou(box, truth.boxes[members].to(box))[0]
    return int(members[overlaps.argmax()]) if float(overlaps.max()) > 0 else None


def covered_groups(
    truth: GroundTruth, categories: tuple[str, ...], step: RecallStep, iou: float = 0.5
) -> list[BoxGroup]:
    """The objects green where a box of this step has an IoU of at least `iou` with them, else red."""
    members = real_objects(truth)
    groups = []
    for name, color, of_kind in (
        ("covered", FOUND, step.best >= iou),
        ("not covered", LOST, step.best < iou),
    ):
        chosen = members[of_kind].tolist()
        best = step.best[of_kind].tolist()
        names = [f"#{index} {categories[int(truth.labels[index])]}" for index in chosen]
        groups.append(
            BoxGroup(
                truth.boxes[chosen], f"{name} by {step.name}", color, width=2.5, halo=LIGHT_HALO,
                labels=tuple(f"#{index} {value:.2f}" for index, value in zip(chosen, best, strict=True)),
                hover=tuple(
                    f"{text}<br>best IoU with {step.name}: {value:.3f}"
                    for text, value in zip(names, best, strict=True)
                ),
                items=tuple(Selected("object", index) for index in chosen),
            )
        )  # fmt: skip
    return groups


def nearest_groups(replay: Replay, found: Nearest, box: Tensor) -> list[BoxGroup]:
    """One object with its closest anchors and its best proposals, each with the anchor that it came from."""
    trace = replay.trace
    starts = trace.to_image(trace.rpn.anchors[found.proposals])
    ends = trace.to_image(replay.proposals.boxes[found.proposals])
    closest = trace.to_image(trace.rpn.anchors[found.anchors])
    tags = tuple(f"IoU {value:.2f}" for value in found.proposal_ious.tolist())
    near = {"hover": anchor_hover(replay, found.anchors), "items": anchor_items(found.anchors)}
    proposed = {"hover": anchor_hover(replay, found.proposals), "items": anchor_items(found.proposals)}
    return [
        BoxGroup(box[None], "object", GROUND_TRUTH, dash="dash", width=2.5, halo=DARK_HALO, counted=False),
        BoxGroup(closest, "closest anchors", PURPLE, dash="dot", halo=LIGHT_HALO, **near),
        BoxGroup(starts, "anchors of the proposals", ACCENT, dash="dot", width=1.5, **proposed),
        BoxGroup(ends, "closest proposals", ACCENT, labels=tags, width=2, **proposed),
    ]


def nearest_anchors(found: Nearest) -> Tensor:
    """The rows of `nearest_table`: closest anchors, then the anchors of the closest proposals, int64 [2 n]."""
    return torch.cat((found.anchors, found.proposals))


def nearest_table(replay: Replay, found: Nearest) -> pd.DataFrame:
    """One row for each of the closest anchors, then one for each of the closest proposals."""
    trace, ledger, rows = replay.trace, replay.proposals, nearest_anchors(found)
    count = len(found.anchors)
    starts = trace.to_image(trace.rpn.anchors[rows]).tolist()
    ends = trace.to_image(ledger.boxes[rows]).tolist()
    return pd.DataFrame(
        {
            "what": ["anchor"] * count + ["proposal"] * len(found.proposals),
            "IoU": [*found.anchor_ious.tolist(), *found.proposal_ious.tolist()],
            "objectness": ledger.scores[rows].float().tolist(),
            "fate": [fate_words(ProposalFate(code)) for code in ledger.fate[rows].tolist()],
            "anchor, px": [size_words(box) for box in starts],
            "box, px": [size_words(box) for box in ends],
            "anchor": rows.tolist(),
        }
    )
