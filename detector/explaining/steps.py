"""What passes each rung: how many candidates of an object, their best box and their best score.

Shapes: `n` candidates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from detector.explaining.candidates import Candidates
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Step

_LADDER = tuple(Rung)[: Rung.MATCHED_ELSEWHERE]


def steps_of(candidates: Candidates, found: int | None) -> tuple[Step, ...]:
    """One step for each rung before FOUND.

    A candidate that passed a later rung passed all before it: one whose refined box fits counts at RPN_BOX, even
    if its decoded box did not fit there.

    Args:
        candidates: of one object.
        found: row of the candidate that became its detection, if there is one. The matching gives an object one
            detection at most, so MATCHED_ELSEWHERE lets one candidate pass, or none.
    """
    columns = (
        candidates.anchor_iou, candidates.decoded_iou, candidates.refined_iou,
        candidates.objectness, candidates.score,
    )  # fmt: skip
    counts = _from_the_top(torch.bincount(candidates.depth, minlength=len(_LADDER)))
    best = _best_from_the_top(torch.stack([column.double() for column in columns]), candidates.depth)
    steps = [
        Step(rung, counts[rung], best[_box_at(rung)][rung], best[3 if rung <= Rung.RPN_LIMIT else 4][rung])
        for rung in _LADDER
    ]
    if found is None:
        return (*steps, Step(Rung.MATCHED_ELSEWHERE, 0))
    iou, score = float(candidates.refined_iou[found]), float(candidates.score[found])
    return (*steps, Step(Rung.MATCHED_ELSEWHERE, 1, iou, score))


def _box_at(rung: Rung) -> int:
    """Which box a candidate has at a rung: 0 its anchor, 1 the decoded, 2 the refined one."""
    if rung is Rung.ANCHOR_FIT:
        return 0
    return 1 if rung <= Rung.RPN_LIMIT else 2


def _from_the_top(counts: Tensor) -> list[int]:
    return counts.flip(0).cumsum(0).flip(0).tolist()


def _best_from_the_top(columns: Tensor, depth: Tensor) -> list[list[float | None]]:
    """For each column of float64 [columns, n] the highest known value of those that passed each rung, or None."""
    best = torch.full((len(columns), len(_LADDER)), -1.0, dtype=torch.float64)
    best.scatter_reduce_(1, depth.expand_as(columns), columns.nan_to_num(-1.0), "amax")
    rows = best.flip(1).cummax(1).values.flip(1).tolist()
    return [[value if value >= 0 else None for value in row] for row in rows]
