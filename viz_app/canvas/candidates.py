"""What the box filter may keep: enough for the browser to run its last steps while a slider moves.

Shapes: `P` candidate class slots, `K` categories with background.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from detector.tracing.filters import DetectionFate
from detector.tracing.replay import Replay
from viz_app.figures.palette import DETECTION

LOWEST_SCORE = 0.01
MOST = 5000


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """Candidates of the box filter, in the order of their class slots, and the thresholds they start from.

    Args:
        shown: float [P, 4], xyxy, **image** frame: what is drawn.
        boxes: float [P, 4], xyxy, **network** frame: what NMS compares.
        scores: float [P], class probabilities.
        labels: int64 [P].
        categories: names of the K categories.
        floor: no candidate has a lower score than this.
        score, nms, limit: of the box filter.
        replaces: names of the groups that the preview stands in for.
        color: of the boxes.
        sliders: labels of the sidebar's sliders for `score` and `nms`, which move the same thresholds.
    """

    shown: Tensor
    boxes: Tensor
    scores: Tensor
    labels: Tensor
    categories: tuple[str, ...]
    floor: float
    score: float
    nms: float
    limit: int
    replaces: tuple[str, ...] = ("detections", "false positives")
    color: str = DETECTION
    sliders: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.scores)


def preview_of(replay: Replay, sliders: Mapping[str, str] | None = None) -> Preview:
    """The class slots that some score and NMS threshold would keep: those over 0.01, 5,000 at most.

    Args:
        replay: the candidates, and the thresholds they start from.
        sliders: labels of the sidebar's sliders for `score` and `nms`, if they move the same thresholds.
    """
    ledger, thresholds = replay.detections, replay.thresholds
    floor = min(LOWEST_SCORE, thresholds.box_score)
    width, height = (ledger.boxes[:, 2:] - ledger.boxes[:, :2]).unbind(1)
    smallest = replay.trace.rules.box_min_size
    able = (
        (ledger.scores > floor)
        & (ledger.fate != int(DetectionFate.OTHER_CLASS))
        & (width >= smallest)
        & (height >= smallest)
    )
    slots = able.nonzero().flatten()
    if len(slots) > MOST:
        best = ledger.scores[slots].argsort(descending=True, stable=True)[:MOST]
        floor = max(floor, float(ledger.scores[slots][best[-1]]))
        slots = slots[best].sort().values
    return Preview(
        replay.trace.to_image(ledger.boxes[slots]), ledger.boxes[slots], ledger.scores[slots], ledger.labels[slots],
        replay.trace.categories, floor, thresholds.box_score, thresholds.box_nms, thresholds.box_limit,
        sliders=sliders or {},
    )  # fmt: skip
