"""How well the RPN's boxes cover the objects, step by step, and which boxes come nearest to each object.

Shapes: `N` anchors, `G` objects that are not crowd regions. Boxes and overlaps are in the **image** frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.data.ground_truth import GroundTruth
from detector.tracing.filters import ProposalFate
from detector.tracing.replay import Replay
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, GREY, SKY, VIOLET
from viz_app.figures.words import size_words

_CHUNK = 65_536
_ROOMY = float("inf")
SIZES = (("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, _ROOMY))
"""COCO's sizes: name, and the area in px² of the image frame from which and under which an object has it."""
_SIZE_COLORS = (SKY, ACCENT, VIOLET)


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


def real_objects(ground_truth: GroundTruth) -> Tensor:
    """Indices, int64 [G], of the objects that are not crowd regions."""
    return (~ground_truth.crowd).nonzero().flatten()


def recall_steps(replay: Replay, ground_truth: GroundTruth) -> list[RecallStep]:
    """Coverage of the objects (crowd regions left out) at each step of the RPN."""
    return [*unfiltered_steps(replay, ground_truth), *filtered_steps(replay, ground_truth)]


def unfiltered_steps(replay: Replay, ground_truth: GroundTruth) -> list[RecallStep]:
    """The steps that no threshold changes, and that take all N boxes: anchors and decoded boxes."""
    parts = {"anchors": replay.trace.rpn.anchors, "decoded": replay.proposals.boxes}
    return _steps(replay, ground_truth, parts)


def filtered_steps(replay: Replay, ground_truth: GroundTruth) -> list[RecallStep]:
    """The steps of the filter: after the top-n, after NMS, and the proposals."""
    ledger = replay.proposals
    ranked = (ledger.fate != int(ProposalFate.BELOW_TOP_N)).nonzero().flatten()
    members = {"top-n": ranked, "NMS": ledger.winners, "proposals": ledger.kept}
    return _steps(replay, ground_truth, {name: ledger.boxes[chosen] for name, chosen in members.items()})


def _steps(replay: Replay, ground_truth: GroundTruth, parts: dict[str, Tensor]) -> list[RecallStep]:
    objects = ground_truth.boxes[~ground_truth.crowd].to(replay.proposals.boxes)
    return [
        RecallStep(name, len(boxes), _best(replay.trace.to_image(boxes), objects))
        for name, boxes in parts.items()
    ]


def _best(boxes: Tensor, objects: Tensor) -> Tensor:
    """Highest IoU, float [G], of each object with any box; in parts, for 200,000 anchors and 100 objects."""
    best = objects.new_zeros(len(objects))
    for part in boxes.split(_CHUNK) if len(objects) else ():
        if len(part):
            best = torch.maximum(best, box_iou(objects, part).amax(dim=1))
    return best


def size_members(ground_truth: GroundTruth) -> dict[str, Tensor]:
    """Which of the G objects are small, medium and large, bool [G] each."""
    boxes = ground_truth.boxes[~ground_truth.crowd]
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    return {name: (area >= low) & (area < high) for name, low, high in SIZES}


def recall_table(steps: Sequence[RecallStep], sizes: dict[str, Tensor], iou: float = 0.5) -> pd.DataFrame:
    """One row for each step: boxes left, and objects covered, of all and of each size that occurs."""
    rows = []
    for step in steps:
        covered = step.best >= iou
        counts = {
            name: f"{int(covered[members].sum())} of {int(members.sum())}"
            for name, members in sizes.items()
            if bool(members.any())
        }
        every = f"{step.found(iou)} of {len(step.best)}"
        rows.append({"step": step.name, "boxes": step.boxes, "objects": every, **counts})
    return pd.DataFrame(rows)


def recall_figure(steps: Sequence[RecallStep], sizes: dict[str, Tensor], iou: float = 0.5) -> go.Figure:
    """Objects covered at each step, as bars in the colours of the sizes; grey is not covered."""
    names, objects = [step.name for step in steps], len(steps[0].best)
    figure = go.Figure()
    for (name, members), color in zip(sizes.items(), _SIZE_COLORS, strict=True):
        of_size = int(members.sum())
        found = [int((step.best[members] >= iou).sum()) for step in steps]
        hover = [
            f"{step.name}: {step.boxes:,} boxes<br>{count} of {of_size} {name} objects with IoU ≥ {iou:g}"
            "<extra></extra>"
            for step, count in zip(steps, found, strict=True)
        ]
        figure.add_bar(
            y=names, x=found, orientation="h", name=name, marker={"color": color}, hovertemplate=hover,
            text=[f"{count} of {of_size}" if count else "" for count in found], textposition="inside",
            visible=of_size > 0, insidetextanchor="middle", textangle=0,
        )  # fmt: skip
    missing = [objects - step.found(iou) for step in steps]
    figure.add_bar(
        y=names, x=missing, orientation="h", name="not covered", marker={"color": GREY}, opacity=0.3,
        hovertemplate="%{y}: %{x} not covered<extra></extra>",
    )  # fmt: skip
    figure.update_layout(barmode="stack")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(dtick=max(1, objects // 8))
    calm(figure, x=f"objects with a box of IoU ≥ {iou:g}").update_layout(bargap=0.4, showlegend=True)
    return figure.update_layout(
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    )


def coverage_table(
    steps: Sequence[RecallStep], ground_truth: GroundTruth, categories: tuple[str, ...]
) -> pd.DataFrame:
    """One row for each of the G objects: the highest IoU that the boxes have with it at each step."""
    members = real_objects(ground_truth).tolist()
    return pd.DataFrame(
        {
            "object": [f"#{index} {categories[int(ground_truth.labels[index])]}" for index in members],
            "size, px": [size_words(box) for box in ground_truth.boxes[members].tolist()],
            **{step.name: step.best.tolist() for step in steps},
        }
    )
