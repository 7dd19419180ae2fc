"""What each rung costs: AP if no object had been lost there.

Hoiem et al. 2012 ("Diagnosing Error in Object Detectors") and Bolya et al. 2020 ("TIDE") ask what a detector
would reach if one kind of error were gone. Here the kinds are the rungs: the objects that a rung lost are added
as detections with their true box, their true category and the score 1, and pycocotools evaluates again. That
bounds what work on this rung can bring: an object that gets past it may be lost at the next one, and is hardly
ever found so well. Detections that are there stay as they are, the false ones, too. Gains of different rungs do
not add up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from detector.explaining.rungs import Rung
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.rows import Found
from detector.judging.summary import OracleGain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.judging.rows import ImageReport

ORACLE_SCORE = 1.0


def boxes_of(report: ImageReport) -> ImageBoxes:
    """One image for the evaluation."""
    return ImageBoxes(report.index, report.truth, report.detections)


def oracle_gains(reports: Sequence[ImageReport], judge: CocoJudge) -> tuple[OracleGain, ...]:
    """One gain for each rung that lost an object, in the rungs' order.

    Args:
        reports: all images.
        judge: of the same images as they are.
    """
    now = judge.averages().AP or 0.0
    gains = []
    for rung in list(Rung)[:-1]:
        changed = [_mended(report, rung.name) for report in reports if _loses_at(report, rung.name)]
        if changed:
            then = judge.averages(changed)
            gains.append(OracleGain(rung.name, then.AP, then.AP50, (then.AP or 0.0) - now))
    return tuple(gains)


def _loses_at(report: ImageReport, rung: str) -> bool:
    return any(row.rung == rung for row in report.objects)


def _mended(report: ImageReport, rung: str) -> ImageBoxes:
    """The image with a perfect detection of each object that the rung lost."""
    lost = [row.object for row in report.objects if row.rung == rung]
    added = [Found(report.truth[index].box, report.truth[index].label, ORACLE_SCORE, index) for index in lost]
    return replace(boxes_of(report), detections=(*report.detections, *added))
