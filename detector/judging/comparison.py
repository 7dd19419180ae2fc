"""Two runs on the same data set, object by object, and what of the difference in AP is more than chance."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detector.explaining.rungs import Rung
from detector.judging.bootstrap import paired_interval
from detector.judging.comparison_records import Change, ComparedObject, Comparison
from detector.judging.evaluation import evaluation_of_images, matched_of
from detector.judging.kept_run import KeptRun, read_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detector.judging.rows import ImageReport, ObjectRow

    Pairs = Sequence[tuple[ImageReport, ImageReport]]

_FOUND = Rung.FOUND.name


def compare(
    folder_a: str | Path,
    folder_b: str | Path,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two finished diagnoses of the same data set: two models, two thresholds, or two epochs.

    Objects are told apart by their place among the annotations of their image, so both runs must have seen the
    same annotations; crowd regions are no objects. Where one of the two could not use an image, it is left out
    of both.

    Args:
        folder_a, folder_b: of `evaluate`, `diagnose_dataset`, or `boxscope diagnose`.
        resamples: draws of the bootstrap.
        seed: of the draws; the same seed gives the same interval.
        confidence: the share of the draws that the interval holds.

    Raises:
        ValueError: a folder without a finished diagnosis, another data set, other images, or another IoU in
            one of the two; the sentence says which.
    """
    a, b = read_run(folder_a), read_run(folder_b)
    _refuse_different(a, b)
    pairs = _shared(a, b)
    sides = [report for report, _ in pairs], [report for _, report in pairs]
    matched = matched_of(a, sides[0]), matched_of(b, sides[1])
    told = [evaluation_of_images(*side) for side in zip((a, b), sides, matched, strict=True)]
    objects = tuple(_compared(pairs))
    values = [one.statistics["AP"] for one in told]
    name_a, name_b = _names(a, b)
    return Comparison(
        a=name_a,
        b=name_b,
        dataset=a.summary.dataset,
        evaluation_a=told[0],
        evaluation_b=told[1],
        AP_a=values[0],
        AP_b=values[1],
        difference=None if values[0] is None or values[1] is None else values[1] - values[0],
        interval=paired_interval(*matched, resamples=resamples, seed=seed, confidence=confidence),
        objects=objects,
        transitions=transitions_of(objects),
        false_positives_a=sum(len(report.false_positives) for report in sides[0]),
        false_positives_b=sum(len(report.false_positives) for report in sides[1]),
        left_out=len({report.index for report in (*a.reports, *b.reports)}) - len(pairs),
    )


def transitions_of(objects: Iterable[ComparedObject]) -> np.ndarray:
    """Objects by rung in `a` (rows) and in `b` (columns), int64 [12, 12], in the order of `Rung`."""
    counts = np.zeros((len(Rung), len(Rung)), dtype=np.int64)
    for one in objects:
        counts[Rung[one.rung_a], Rung[one.rung_b]] += 1
    return counts


def change_of(rung_a: str, rung_b: str) -> Change:
    """What became of an object that got to these rungs."""
    if rung_a == _FOUND:
        return Change.KEPT if rung_b == _FOUND else Change.LOST
    return Change.GAINED if rung_b == _FOUND else Change.STILL_LOST


def _refuse_different(a: KeptRun, b: KeptRun) -> None:
    """Both must be about the same objects, and mean the same by found."""
    if a.dataset_sha256 != b.dataset_sha256:
        raise ValueError(
            f"{a.folder} is about {a.summary.dataset} and {b.folder} about {b.summary.dataset} (or about "
            "annotations that have changed since): only runs on the same data set can be compared"
        )
    if a.summary.iou != b.summary.iou:
        raise ValueError(
            f"{a.folder} counts as found from IoU {a.summary.iou:g} on and {b.folder} from {b.summary.iou:g} on: "
            "run one of them again with the other's --iou"
        )
    counts = [run.summary.images + len(run.summary.problems) for run in (a, b)]
    if counts[0] != counts[1]:
        raise ValueError(
            f"{a.folder} holds {counts[0]:,} images and {b.folder} {counts[1]:,}: run one of them again with the "
            "other's --limit"
        )


def _shared(a: KeptRun, b: KeptRun) -> Pairs:
    """The images that both could use, in their order."""
    others = {report.index: report for report in b.reports}
    pairs = [(report, others[report.index]) for report in a.reports if report.index in others]
    for one, other in pairs:
        if _annotated(one) != _annotated(other):
            raise ValueError(
                f"{a.folder} and {b.folder} hold other objects on {one.image}: its annotations have changed "
                "between the two runs"
            )
    return pairs


def _annotated(report: ImageReport) -> list[tuple[int, tuple[float, ...], str]]:
    return [(row.object, (row.x1, row.y1, row.x2, row.y2), row.category) for row in report.objects]


def _compared(pairs: Pairs) -> Iterator[ComparedObject]:
    for report, other in pairs:
        for a, b in zip(report.objects, other.objects, strict=True):
            yield _object(report, a, b)


def _object(report: ImageReport, a: ObjectRow, b: ObjectRow) -> ComparedObject:
    return ComparedObject(
        report.index, report.image, a.object, a.annotation_id, a.category, a.size, (a.x1, a.y1, a.x2, a.y2),
        a.rung, b.rung, a.detection_score, b.detection_score, a.reason, b.reason, change_of(a.rung, b.rung),
    )  # fmt: skip


def _names(a: KeptRun, b: KeptRun) -> tuple[str, str]:
    """The models' names; with the thresholds that differ, or the folders' names, where they are the same."""
    if a.summary.model != b.summary.model:
        return a.summary.model, b.summary.model
    knobs = asdict(a.summary.thresholds), asdict(b.summary.thresholds)
    differ = [name for name in knobs[0] if knobs[0][name] != knobs[1][name]]
    if differ:
        words = [", ".join(f"{name} {side[name]:g}" for name in differ) for side in knobs]
        return f"{a.summary.model}, {words[0]}", f"{b.summary.model}, {words[1]}"
    return a.folder.name, b.folder.name
