"""The objects of a data set without a look at its pixels, where the annotations say enough: quick on large ones.

Boxes are xyxy in the image frame.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from detector.data.datasets import ground_truth_of
from detector.judging.doctor_survey import Entries, SeenImage, Survey
from detector.judging.findings import Finding, Place, Severity, finding_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.data.ground_truth import GroundTruth
    from detector.judging.doctor_survey import Size

    Progress = Callable[[int, int], None]

_TELL_EVERY = 50


def survey_objects(
    dataset: Any,  # noqa: ANN401 - any annotated data set
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Every object with its label, and every image with its size; labels are indices into `categories`.

    Args:
        dataset: as `open_dataset` gives it, or any torch data set of (pixels [3, H, W], target) pairs with
            `categories`.
        limit: so many images at most, the first ones.
        progress: told images so far and images in all, now and then.

    Returns:
        The survey, with layout `xyxy`; what it could not use is among its findings.
    """
    total = len(dataset) if limit is None else min(limit, len(dataset))
    take = _from_annotations if needs_no_pixels(dataset) else _from_item
    images, entries, unusable = [], Entries.none(), []
    for index in range(total):
        name, size = _name(dataset, index), None
        try:
            truth, size = take(dataset, index)
            _add(entries, index, truth)
        except (ValueError, OSError) as problem:
            unusable.append((str(problem), Place(name)))
        images.append(SeenImage(name, size, None))
        if progress is not None and (index % _TELL_EVERY == 0 or index == total - 1):
            progress(index + 1, total)
    listed = tuple(map(str, dataset.categories))
    numbers, labels, ids, image_of, crowd = entries.tensors()
    found = tuple(one for one in (_unusable(unusable),) if one is not None)
    return Survey(
        type(dataset).__name__, tuple(images), numbers, "xyxy", labels, ids, image_of, crowd,
        dict(enumerate(listed[1:], 1)), listed, found, total == len(dataset),
    )  # fmt: skip


def needs_no_pixels(dataset: Any) -> bool:  # noqa: ANN401
    """Whether a data set gives the objects and the size of an image without decoding it."""
    return callable(getattr(dataset, "truth", None)) and callable(getattr(dataset, "image_size", None))


def without_crowd(survey: Survey) -> Survey:
    """Without crowd regions and without boxes that have no area: what a detector is to find."""
    sides = survey.boxes[:, 2:] - survey.boxes[:, :2]
    keep = ~survey.crowd & (sides > 0).all(dim=1)
    names = ("numbers", "labels", "ids", "image_of", "crowd")
    return replace(survey, **{name: getattr(survey, name)[keep] for name in names})


def _from_annotations(dataset: Any, index: int) -> tuple[GroundTruth, Size]:  # noqa: ANN401
    return dataset.truth(index), dataset.image_size(index)


def _from_item(dataset: Any, index: int) -> tuple[GroundTruth, Size]:  # noqa: ANN401
    pixels, target = dataset[index]
    return ground_truth_of(target), (int(pixels.shape[-2]), int(pixels.shape[-1]))


def _add(entries: Entries, index: int, truth: GroundTruth) -> None:
    columns = (truth.boxes.double(), truth.labels, truth.ids, truth.crowd)
    for row in zip(*(column.tolist() for column in columns), strict=True):
        entries.add(index, *row)


def _name(dataset: Any, index: int) -> str:  # noqa: ANN401
    path_of: Any = getattr(dataset, "image_path", None)
    return f"image {index:,}" if path_of is None else path_of(index).name


def _unusable(problems: list[tuple[str, Place]]) -> Finding | None:
    return finding_at(
        Severity.ERROR, "item_unusable", problems[0][0] if problems else "",
        "Mend or leave out these images.", [place for _, place in problems],
    )  # fmt: skip
