"""From the reports of all images to the summary of the data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Mechanism
from detector.judging.anchor_fitting import fit_anchors_of
from detector.judging.coco_metrics import CocoJudge
from detector.judging.oracle import boxes_of, oracle_gains
from detector.judging.summary import AnchorFit, Fall, Group, Problem, Summary
from detector.judging.tide import tide_shares

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detector.judging.rows import ImageReport, ObjectRow
    from detector.judging.summary import Recommendation
    from detector.models.detector import Detector
    from detector.tracing.thresholds import Thresholds

_SIZES = ("small", "medium", "large")


@dataclass(frozen=True, slots=True)
class About:
    """What was judged, and how.

    Args:
        dataset: what it is called.
        categories: the detector's names of the data set's categories, in the data set's order.
        thresholds, iou: how it was judged.
    """

    dataset: str
    categories: tuple[str, ...]
    thresholds: Thresholds
    iou: float


def summarize(
    reports: Sequence[ImageReport],
    detector: Detector,
    about: About,
    recommendations: tuple[Recommendation, ...] = (),
) -> Summary:
    """The summary of a data set.

    Args:
        reports: of all images, in order.
        detector: that was judged.
        about: the rest that the reports do not say.
        recommendations: changes that were tried.
    """
    good = [report for report in reports if not report.problem]
    rows = [row for report in good for row in report.objects]
    judge = CocoJudge([boxes_of(report) for report in good], detector.num_classes - 1)
    lost = Counter(row.mechanism for row in rows if row.mechanism)
    whole = group_of(rows)
    return Summary(
        model=detector.name,
        dataset=about.dataset,
        thresholds=about.thresholds,
        iou=about.iou,
        images=len(good),
        objects=whole.objects,
        found=whole.found,
        waterfall=whole.waterfall,
        by_size={size: group_of(row for row in rows if row.size == size) for size in _SIZES},
        by_category={
            name: group_of(row for row in rows if row.category == name) for name in about.categories
        },
        mechanisms={mechanism.value: lost[mechanism.value] for mechanism in Mechanism},
        tide=tide_shares(good),
        coco=judge.scores,
        oracle=oracle_gains(good, judge),
        recommendations=recommendations,
        anchors=fit_of(good, detector),
        seconds=sum(report.seconds for report in reports),
        problems=tuple(
            Problem(report.index, report.image, report.problem) for report in reports if report.problem
        ),
        unfaithful=sum(not report.faithful for report in good),
    )


def group_of(rows: Iterable[ObjectRow]) -> Group:
    """Objects, found ones, and the waterfall between: what each rung lost and left."""
    lost = Counter(row.rung for row in rows)
    objects = left = lost.total()
    falls = []
    for rung in list(Rung)[:-1]:
        left -= lost[rung.name]
        falls.append(Fall(rung.name, lost[rung.name], left))
    return Group(objects, lost[Rung.FOUND.name], tuple(falls))


def fit_of(reports: Sequence[ImageReport], detector: Detector) -> AnchorFit | None:
    """Anchors fitted to the objects as the network sees them; None without objects, or where none can be fitted."""
    extents = [
        ((row.y2 - row.y1) * report.network_scale[0], (row.x2 - row.x1) * report.network_scale[1])
        for report in reports
        for row in report.objects
    ]
    try:
        fitted = fit_anchors_of(detector.model, torch.tensor(extents, dtype=torch.float64))
    except ValueError:
        return None
    return AnchorFit(fitted.after.sizes, fitted.after.ratios, fitted.before.recall, fitted.after.recall)
