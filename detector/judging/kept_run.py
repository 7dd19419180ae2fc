"""What a finished diagnosis of a data set keeps in its folder, read once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.judging.dataset_diagnosis import SUMMARY
from detector.judging.identity import RUN
from detector.judging.parts import finished
from detector.judging.rows import ImageReport
from detector.judging.run import DIAGNOSE
from detector.judging.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True, eq=False)
class KeptRun:
    """A finished diagnosis.

    Args:
        folder: where it lies.
        summary: all of it in numbers.
        reports: of the images that could be used, in the data set's order.
        categories: the detector's K names, index 0 is background.
        dataset_sha256: digest of the annotations, or of what generates them.
    """

    folder: Path
    summary: Summary
    reports: tuple[ImageReport, ...]
    categories: tuple[str, ...]
    dataset_sha256: str


def read_run(folder: str | Path) -> KeptRun:
    """Read a finished diagnosis.

    Raises:
        ValueError: the folder holds no finished diagnosis, or one that lacks images.
    """
    folder = Path(folder)
    try:
        summary = Summary.from_json((folder / SUMMARY).read_text(encoding="utf-8"))
        run: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{folder} holds no finished diagnosis of a data set") from error
    asked = summary.images + len(summary.problems)
    reports = _reports(folder, asked)
    if len(reports) != asked:
        raise ValueError(
            f"{folder} keeps {len(reports):,} of {asked:,} images: some of its parts were deleted; "
            "run the same command again"
        )
    good = tuple(report for report in reports if not report.problem)
    names = tuple(run.get("categories") or _names(good, summary.by_category))
    return KeptRun(folder, summary, good, names, str(run.get("dataset_sha256", "")))


def _reports(folder: Path, images: int) -> list[ImageReport]:
    """Of the first so many images: a run that was made shorter keeps the others, too."""
    contents = (content for content in finished(folder, DIAGNOSE) if content["index"] < images)
    return sorted(map(ImageReport.from_content, contents), key=lambda report: report.index)


def _names(reports: Sequence[ImageReport], known: Iterable[str]) -> tuple[str, ...]:
    """The names as far as rows tell them, for a folder of an older version, which did not keep them."""
    told = {report.truth[row.object].label: row.category for report in reports for row in report.objects}
    for report in reports:
        told |= {report.detections[row.detection].label: row.category for row in report.false_positives}
    most = max((*told, len(tuple(known))), default=0)
    return ("background", *(told.get(label, f"category {label}") for label in range(1, most + 1)))
