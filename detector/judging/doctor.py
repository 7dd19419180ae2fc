"""The doctor: what is wrong with a data set and a detector, before anything is trained or run.

    report = examine("path/to/coco", load_detector("shapes"), others=["path/to/val"])
    for finding in report.findings:
        print(finding.severity, finding.message, finding.remedy)

It reads every image once, and looks at the model's own resize, anchors, matcher and samplers without a forward.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.data.annotated import AnnotatedFiles
from detector.data.coco import CocoDataset, find_annotation_file, image_folders
from detector.data.datasets import open_dataset, read_folder
from detector.data.recognition import Kind, kind_of
from detector.judging.doctor_anchors import anchor_findings, anchor_fits
from detector.judging.doctor_boxes import box_findings, crowded, crowded_images
from detector.judging.doctor_coco import survey_coco
from detector.judging.doctor_files import content_of, survey_files
from detector.judging.doctor_images import image_findings, leak_findings, turned_away
from detector.judging.doctor_items import survey_items
from detector.judging.doctor_labels import label_findings
from detector.judging.doctor_model import levels, model_findings
from detector.judging.findings import Finding, Report, Severity, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from detector.judging.doctor_anchors import AnchorFits
    from detector.judging.doctor_survey import Survey
    from detector.models.detector import Detector, TwoStageModel

    Progress = Callable[[int, int], None]

_SHAPES = "shapes:"


def examine(
    dataset: Any,  # noqa: ANN401 - a path, or any torch data set
    detector: Detector | None = None,
    *,
    others: Sequence[Any] = (),
    limit: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Run every check on a data set and, where one is given, on a detector.

    Args:
        dataset: what `open_dataset` takes (folders and files are read with all their mistakes), or a torch data
            set of (image, target) pairs as torchvision's detectors are trained on.
        detector: looked at under its lock, and not changed.
        others: other splits, which should share no image with `dataset`.
        limit: look at so many images of each at most; what needs all images is then said more carefully.
        progress: told images so far and images in all, of one data set after the other.

    Returns:
        The report; it has no findings where nothing is worth a word.

    Raises:
        ValueError: there is no such data set, it is none at all, or a limit below 1.
        TypeError: something that is neither a path nor a data set.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; expected 1 or more")
    survey = survey_of(dataset, limit=limit, progress=progress)
    splits = [survey_of(other, limit=limit, progress=progress) for other in others]
    findings: list[Finding | None] = [
        *survey.findings,
        *image_findings(survey),
        *leak_findings(survey, splits),
    ]
    findings.append(crowded(survey))
    upright = survey.without({*turned_away(survey), *crowded_images(survey)})
    boxes = box_findings(upright)
    findings += boxes.findings
    findings += label_findings(survey, None if detector is None else detector.categories)
    formats_agree = not any(f.check == "box_format" for f in survey.findings)
    fits = None
    if detector is not None:
        usable = boxes.usable and formats_agree
        fits, found = _examine_model(upright, detector.model, usable)
        findings += found
    return Report(
        survey.name, None if detector is None else detector.name, len(survey.images), len(survey),
        _names(survey, detector), in_order(_nothing_to_examine(survey, findings)), fits,
    )  # fmt: skip


def survey_of(
    dataset: Any,  # noqa: ANN401
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Read a data set as it is.

    Raises:
        ValueError, TypeError: as `examine`.
    """
    if isinstance(dataset, CocoDataset):
        file, folders = dataset.annotation_file, dataset.image_folders
        return survey_coco(file, folders, limit=limit, progress=progress)
    if isinstance(dataset, AnnotatedFiles):
        return survey_files(content_of(dataset), limit=limit, progress=progress)
    if isinstance(dataset, str | Path) and not str(dataset).startswith(_SHAPES) and str(dataset).strip():
        path = Path(dataset)
        if kind_of(path) is Kind.COCO:
            file = find_annotation_file(path)
            return survey_coco(file, image_folders(file), limit=limit, progress=progress)
        return survey_files(read_folder(path), limit=limit, progress=progress)
    if isinstance(dataset, str | Path):
        dataset = open_dataset(dataset)
    return survey_items(dataset, limit=limit, progress=progress)


def _examine_model(
    survey: Survey, model: TwoStageModel, usable: bool
) -> tuple[AnchorFits | None, list[Finding | None]]:
    """Anchors are asked only where boxes mean what they say, and where the model's parts fit together."""
    mismatch = levels(model)
    if mismatch is not None or not usable:
        return None, model_findings(survey, model, None)
    fits = anchor_fits(survey, model)
    return fits, [*anchor_findings(survey, fits, model), *model_findings(survey, model, fits)]


def _names(survey: Survey, detector: Detector | None) -> tuple[str, ...]:
    return detector.categories if detector is not None else survey.listed or ()


def _nothing_to_examine(survey: Survey, findings: list[Finding | None]) -> Iterator[Finding | None]:
    yield from findings
    if not survey.images or not len(survey):
        what = "images" if not survey.images else "objects"
        yield Finding(
            Severity.ERROR, "empty", f"there are no {what} that could be examined",
            "Check that this is the data set you mean, and that its annotations are not empty.",
        )  # fmt: skip
