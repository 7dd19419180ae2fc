"""The errors of a whole data set by TIDE's types, and what each type costs.

Bolya et al. 2020 ("TIDE: A General Toolbox for Identifying Object Detection Errors"): every false detection has
one type (`detector.explaining.false_positives` tells it, by TIDE's own tests), every object that no Cls or Loc
stands for is a Miss. What a type costs is the AP at one IoU that is gained when all its errors are put right
(their dAP):

- Cls, Loc: the detection becomes a hit on the object that it means, at its own score; only the best one of those
  that mean the same object, and none if the object has a detection already: the others are removed.
- Both, Dupe, Bkg: the detection is removed.
- Miss: the object is taken out of the truth.

As in TIDE, right detections stay what they are: nothing is matched again. Where this differs from TIDE's program:
the AP is COCO's mean over categories that have objects at the IoU of the diagnosis (TIDE's default is the same
0.5); the matching is COCO's, so a detection in a crowd region counts neither way here; and COCO keeps the best
100 of a category in an image, where TIDE keeps the best 100 of an image.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.explaining.false_positives import TideType
from detector.judging.coco_numbers import RECALLS
from detector.judging.summary import TideShare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from detector.judging.rows import ImageReport

_MOST = 100
_MENDED = (TideType.CLS, TideType.LOC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One detection that counts: its score, whether it is a hit, and its error, if it is not.

    Args:
        meant: (image, object) that a Cls or a Loc means.
        label: of the detection; `meant_label` of that object.
    """

    score: float
    label: int
    hit: bool
    tide: TideType | None = None
    meant: tuple[int, int] | None = None
    meant_label: int = 0


def tide_shares(reports: Sequence[ImageReport]) -> dict[str, TideShare]:
    """Count and gain of each of the six types, by their names.

    Args:
        reports: all images.
    """
    entries = [entry for report in reports for entry in entries_of(report)]
    objects = _object_labels(reports)
    missed = _missed(entries, reports)
    now = mean_ap(entries, objects.values())
    usable = _best_of_each(entries, reports)
    shares = {}
    for tide in TideType:
        if tide is TideType.MISS:
            left = [label for key, label in objects.items() if key not in missed]
            count, then = len(missed), mean_ap(entries, left, set(objects.values()))
        else:
            count = sum(entry.tide is tide for entry in entries)
            then = mean_ap(_mended(entries, tide, usable), objects.values())
        shares[tide.value] = TideShare(count, max(0.0, (then or 0.0) - (now or 0.0)))
    return shares


def mean_ap(entries: Sequence[Entry], objects: Iterable[int], labels: Collection[int] = ()) -> float | None:
    """COCO's AP at one IoU from detections that are judged already: the mean over categories with objects.

    Args:
        entries: detections, image by image.
        objects: label of every object.
        labels: categories that also count (as 0) when they have detections and no object, as TIDE counts them.
    """
    totals = Counter(objects)
    by_label: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_label[entry.label].append(entry)
    judged = set(totals) | {label for label in labels if by_label.get(label)}
    values = [_ap(by_label[label], totals[label]) for label in sorted(judged)]
    return float(np.mean(values)) if values else None


def _ap(entries: Sequence[Entry], total: int) -> float:
    """Precision at 101 recalls, each the best one at this recall or a higher one."""
    scores = np.array([entry.score for entry in entries])
    hits = np.array([entry.hit for entry in entries], dtype=float)[np.argsort(-scores, kind="mergesort")]
    if not hits.sum() or not total:
        return 0.0
    true = hits.cumsum()
    precision = np.maximum.accumulate((true / np.arange(1, len(true) + 1))[::-1])[::-1]
    places = np.searchsorted(true / total, RECALLS, side="left")
    return float(np.where(places < len(true), precision[np.minimum(places, len(true) - 1)], 0.0).mean())


def entries_of(report: ImageReport) -> list[Entry]:
    """The detections of one image that count: not those that match a crowd region."""
    types = {row.detection: TideType(row.tide) for row in report.false_positives}
    entries, taken = [], defaultdict(int)
    ranked = sorted(range(len(report.detections)), key=lambda place: -report.detections[place].score)
    for place in ranked:
        found = report.detections[place]
        taken[found.label] += 1
        if taken[found.label] > _MOST or (found.object >= 0 and report.truth[found.object].crowd):
            continue
        if place not in types:
            entries.append(Entry(found.score, found.label, True))
            continue
        tide = types[place]
        meant = _meant(report, place, tide) if tide in _MENDED else None
        label = 0 if meant is None else report.truth[meant].label
        key = None if meant is None else (report.index, meant)
        entries.append(Entry(found.score, found.label, False, tide, key, label))
    return entries


def _meant(report: ImageReport, place: int, tide: TideType) -> int | None:
    """The object that a Loc (of its own category) or a Cls (of another one) overlaps most."""
    found = report.detections[place]
    best, meant = 0.0, None
    for index, one in enumerate(report.truth):
        if one.crowd or (one.label == found.label) is not (tide is TideType.LOC):
            continue
        iou = _iou(found.box, one.box)
        if iou > best:
            best, meant = iou, index
    return meant


def _iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
    return inner / union if union > 0 else 0.0


def _object_labels(reports: Sequence[ImageReport]) -> dict[tuple[int, int], int]:
    """Label of every object that counts, by image and object."""
    return {
        (report.index, index): one.label
        for report in reports
        for index, one in enumerate(report.truth)
        if not one.crowd
    }


def _free_objects(reports: Sequence[ImageReport]) -> set[tuple[int, int]]:
    """Objects that no detection matches."""
    return {(report.index, row.object) for report in reports for row in report.objects if row.rung != "FOUND"}


def _missed(entries: Sequence[Entry], reports: Sequence[ImageReport]) -> set[tuple[int, int]]:
    """TIDE's Miss: objects without a detection that no Cls or Loc means."""
    return _free_objects(reports) - {entry.meant for entry in entries if entry.meant is not None}


def _best_of_each(entries: Sequence[Entry], reports: Sequence[ImageReport]) -> set[int]:
    """Places of the entries that become a hit when they are put right: the best one for each free object.

    Cls and Loc compete for an object, as in TIDE: an object is given once.
    """
    free = _free_objects(reports)
    best: dict[tuple[int, int], int] = {}
    for place, entry in enumerate(entries):
        if entry.meant in free and entry.meant is not None:
            held = best.get(entry.meant)
            if held is None or entries[held].score < entry.score:
                best[entry.meant] = place
    return set(best.values())


def _mended(entries: Sequence[Entry], tide: TideType, usable: set[int]) -> list[Entry]:
    """All errors of one type put right."""
    mended = []
    for place, entry in enumerate(entries):
        if entry.tide is not tide:
            mended.append(entry)
        elif place in usable:
            mended.append(Entry(entry.score, entry.meant_label, True))
    return mended
