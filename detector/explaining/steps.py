"""What passes each rung: how many candidates of an object, their best box and their best score.

Shapes: `n` candidates.
"""

from __future__ import annotations

import numpy as np

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
    counts = np.bincount(candidates.depth, minlength=len(_LADDER))[::-1].cumsum()[::-1].tolist()
    order = np.argsort(-candidates.depth, kind="stable")
    best = np.fmax.accumulate(np.stack(columns)[:, order], axis=1)  # of the deepest so many; passes over NaN
    steps = [_step(rung, count, best) for rung, count in zip(_LADDER, counts, strict=True)]
    if found is None:
        return (*steps, Step(Rung.MATCHED_ELSEWHERE, 0))
    iou, score = float(candidates.refined_iou[found]), float(candidates.score[found])
    return (*steps, Step(Rung.MATCHED_ELSEWHERE, 1, iou, score))


def _step(rung: Rung, count: int, best: np.ndarray) -> Step:
    """What the `count` deepest candidates have at a rung.

    Args:
        rung: they have their anchor there, their decoded box, or their refined one.
        count: how many passed it.
        best: float64 [5, n], highest of the first so many: IoU of these three boxes, objectness, class score.
    """
    if not count:
        return Step(rung, 0)
    box = 0 if rung is Rung.ANCHOR_FIT else 1 if rung <= Rung.RPN_LIMIT else 2
    iou, score = float(best[box, count - 1]), float(best[3 if box < 2 else 4, count - 1])
    return Step(rung, count, iou if iou >= 0 else None, score if score >= 0 else None)
