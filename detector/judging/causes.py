"""The causes of a detector's losses in one order: what to put right first.

Two witnesses are heard: the doctor, who looks at data set and model before anything runs, and the diagnosis of a
data set, which counts where the objects were lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from detector.judging.findings import Report
    from detector.judging.summary import Summary


@dataclass(frozen=True, slots=True)
class LeadingCause:
    """One cause.

    Args:
        name: the doctor's check, such as `box_format`, or what the diagnosis shows, such as `class_left_out`.
        weight: share of the objects that it explains, 0 to 1.
        message: one sentence, what is wrong.
        remedy: one sentence, what to do.
        evidence: phrases with the numbers that speak for it, of both witnesses.
    """

    name: str
    weight: float
    message: str
    remedy: str
    evidence: tuple[str, ...] = ()


def leading_causes(
    report: Report | None,
    summary: Summary | None = None,
    *,
    objects: pd.DataFrame | None = None,
    false_positives: pd.DataFrame | None = None,
) -> tuple[LeadingCause, ...]:
    """Rank what the doctor and the diagnosis found; the first one is what to do first.

    Args:
        report: the doctor's; None where only the diagnosis is there.
        summary: of the diagnosis; None where only the doctor was asked.
        objects, false_positives: the rows of the diagnosis, for what only they show.
    """
    return ()
