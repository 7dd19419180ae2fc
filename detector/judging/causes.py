"""The causes of a detector's losses in one order: what to put right first.

Two witnesses are heard: the doctor, who looks at data set and model before anything runs, and the diagnosis of a
data set, which counts where the objects were lost. The order:

1. what makes every other number meaningless: errors that concern a tenth of the data or the model as a whole, in
   the order in which the data flow (reading, boxes, labels, pixels, model), and classes in each other's place;
2. what is known to be wrong *and* explains lost objects: unusual thresholds, anchors and input sizes whose rungs
   lost some, smaller errors, and classes that are never found, by the share of the objects they explain;
3. where else objects are lost, by their share;
4. what is unusual and cost nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.judging.causes_seen import (
    Seen,
    classes_left_out,
    lost_at,
    recommended,
    swapped_classes,
    weakest_rungs,
)
from detector.judging.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from detector.judging.findings import Report
    from detector.judging.summary import Summary

_MATTERS = 0.1
_VOIDS, _EXPLAINS, _LOSES, _UNUSUAL = range(4)

# The order in which data flow: what comes later cannot be judged before what comes earlier is right.
_FLOW = (
    "empty", "categories", "image_entry", "annotation_entry", "item_unusable", "image_missing", "image_unreadable",
    "box_format", "orientation", "size_differs", "box_frame", "degenerate_box", "box_outside",
    "labels_off_by_one", "category_count", "unknown_to_model", "label_zero", "label_negative", "label_unknown",
    "double_normalisation", "pixels_not_scaled", "levels", "norm_eps", "input_size", "anchor_sizes",
    "few_positives", "rpn_top_n", "box_limit",
)  # fmt: skip
# What a finding would cost an object: the rungs, the sub-cause there, and the thresholds that go with it.
_COSTS = {
    "input_size": (("ANCHOR_FIT", "RPN_BOX"), "", ()),
    "anchor_sizes": (("ANCHOR_FIT", "RPN_BOX"), "", ()),
    "no_positive_anchor": (("ANCHOR_FIT", "RPN_BOX"), "", ()),
    "under_a_stride": (("ANCHOR_FIT", "RPN_BOX"), "", ()),
    "rpn_top_n": (("RPN_RANK", "RPN_LIMIT"), "", ("rpn_pre_nms_top_n", "rpn_post_nms_top_n")),
    "rpn_nms": (("RPN_NMS",), "", ("rpn_nms",)),
    "rpn_score": (("RPN_SCORE",), "", ("rpn_score",)),
    "box_score": (("ROI_CLASS",), "threshold", ("box_score",)),
    "box_nms": (("BOX_NMS",), "", ("box_nms",)),
    "box_limit": (("BOX_LIMIT",), "", ("box_limit",)),
}  # fmt: skip
_ABOUT_IMAGES = (
    "image_entry", "item_unusable", "image_missing", "image_unreadable", "orientation", "size_differs",
    "double_normalisation", "pixels_not_scaled", "leak", "image_twice", "rpn_top_n", "box_limit",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LeadingCause:
    """One cause.

    Args:
        name: the doctor's check, such as `box_format`, or what the diagnosis shows, such as `class_left_out`.
        weight: share of the objects (or, before a diagnosis, of the images) that it explains, 0 to 1.
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
    ranked = [*_from_report(report, summary, objects)]
    if summary is not None and summary.objects:
        names = report.categories if report is not None else ("background", *summary.by_category)
        ranked += [
            _ranked(seen, _VOIDS if seen.voids else _EXPLAINS)
            for seen in (
                *swapped_classes(summary, objects, false_positives, names),
                *classes_left_out(summary, false_positives),
            )
        ]
        ranked += [_ranked(seen, _LOSES) for seen in weakest_rungs(summary)]
    ranked.sort(key=lambda entry: entry[0])
    first_of = {}
    for _, cause in ranked:
        first_of.setdefault(cause.name, cause)
    return tuple(first_of.values())


_Ranked = tuple[tuple[int, float], LeadingCause]


def _ranked(seen: Seen, tier: int) -> _Ranked:
    order = _FLOW.index("labels_off_by_one") if tier == _VOIDS else -seen.weight
    return (tier, order), LeadingCause(seen.name, seen.weight, seen.message, seen.remedy, seen.evidence)


def _from_report(
    report: Report | None, summary: Summary | None, objects: pd.DataFrame | None
) -> Iterator[_Ranked]:
    for finding in () if report is None else report.findings:
        if report is None or finding.severity is Severity.NOTE:
            continue
        lost = _lost(finding, summary, objects)
        weight = _share(finding, report) if lost is None else min(lost, _share(finding, report))
        evidence = tuple(_evidence(finding, summary, objects))
        cause = LeadingCause(finding.check, weight, finding.message, finding.remedy, evidence)
        if finding.severity is Severity.ERROR and _share(finding, report) >= _MATTERS:
            order = _FLOW.index(finding.check) if finding.check in _FLOW else len(_FLOW)
            yield (_VOIDS, order), cause
        elif lost or (finding.severity is Severity.ERROR and lost is None):
            yield (_EXPLAINS, -weight), cause
        else:
            yield (_UNUSUAL, -weight), cause


def _share(finding: Finding, report: Report) -> float:
    """Share of the images or objects that a finding is about; 1 where it is about the model or the whole."""
    if not finding.places and finding.image is None:
        return 1.0
    whole = report.images if finding.check in _ABOUT_IMAGES else report.objects
    return min(1.0, finding.count / max(1, whole))


def _lost(finding: Finding, summary: Summary | None, objects: pd.DataFrame | None) -> float | None:
    """Share of the objects lost at the rungs that the finding would cost; None where nothing can tell."""
    if summary is None or not summary.objects or finding.check not in _COSTS:
        return None
    rungs, sub_cause, _ = _COSTS[finding.check]
    return lost_at(summary, rungs, objects, sub_cause) / summary.objects


def _evidence(finding: Finding, summary: Summary | None, objects: pd.DataFrame | None) -> Iterator[str]:
    places = list(dict.fromkeys(str(place) for place in finding.places if str(place)))[:3]
    if places:
        yield f"{finding.count} in all, at {'; '.join(places)} among others"
    if summary is not None and finding.check in _COSTS:
        rungs, sub_cause, fields = _COSTS[finding.check]
        lost = lost_at(summary, rungs, objects, sub_cause)
        yield f"{lost} of {summary.objects} objects lost at {' and '.join(rungs)}"
        yield from recommended(summary, fields)
