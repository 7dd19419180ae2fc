"""The objects of a data set without a look at its pixels, where the annotations say enough: quick on large ones.

Boxes are xyxy in the image frame.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from detector.data.coco import CocoDataset
from detector.data.coco_file import read_coco_file
from detector.judging.doctor_images import header_of
from detector.judging.doctor_survey import Entries, SeenImage, Survey
from detector.judging.findings import Finding, Place, Severity, finding_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.data.coco_file import CocoImage
    from detector.judging.doctor_survey import Size

    Progress = Callable[[int, int], None]

_TURNED = range(5, 9)
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
    content = read_coco_file(dataset.annotation_file).images[:total] if needs_no_pixels(dataset) else None
    images, entries, unusable = [], Entries.none(), []
    for index in range(total):
        name = _name(dataset, index)
        try:
            size = (
                _take_item(dataset, entries, index)
                if content is None
                else _take_coco(dataset, entries, index, content[index])
            )
        except (ValueError, OSError) as problem:
            size, unusable = None, [*unusable, (str(problem), Place(name))]
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
    """Whether the annotations of a data set say all, so that no image has to be decoded."""
    return isinstance(dataset, CocoDataset)


def without_crowd(survey: Survey) -> Survey:
    """Without crowd regions and without boxes that have no area: what a detector is to find."""
    sides = survey.boxes[:, 2:] - survey.boxes[:, :2]
    keep = ~survey.crowd & (sides > 0).all(dim=1)
    names = ("numbers", "labels", "ids", "image_of", "crowd")
    return replace(survey, **{name: getattr(survey, name)[keep] for name in names})


def _take_coco(dataset: CocoDataset, entries: Entries, index: int, image: CocoImage) -> Size | None:
    label_of = {number: label for label, number in enumerate(dataset.category_ids, start=1)}
    for one in image.annotations:
        entries.add(index, list(one.box), label_of[one.category_id], one.id, one.crowd)
    return image.size or _upright_size(dataset, index)


def _upright_size(dataset: CocoDataset, index: int) -> Size | None:
    """(H, W) as a reader gives the pixels, from the file's header alone."""
    size, flag = header_of(dataset.image_path(index))
    return size if size is None or flag not in _TURNED else (size[1], size[0])


def _take_item(dataset: Any, entries: Entries, index: int) -> Size:  # noqa: ANN401
    pixels, target = dataset[index]
    labels = target["labels"]
    nothing = torch.full((len(labels),), -1)
    ids = target.get("ids", nothing).tolist()
    crowd = target.get("iscrowd", torch.zeros(len(labels))).bool().tolist()
    boxes = target["boxes"].as_subclass(torch.Tensor).double().reshape(-1, 4).tolist()
    for row in zip(boxes, labels.tolist(), ids, crowd, strict=True):
        entries.add(index, *row)
    return int(pixels.shape[-2]), int(pixels.shape[-1])


def _name(dataset: Any, index: int) -> str:  # noqa: ANN401
    path_of: Any = getattr(dataset, "image_path", None)
    return f"image {index:,}" if path_of is None else path_of(index).name


def _unusable(problems: list[tuple[str, Place]]) -> Finding | None:
    return finding_at(
        Severity.ERROR, "item_unusable", problems[0][0] if problems else "",
        "Mend or leave out these images.", [place for _, place in problems],
    )  # fmt: skip
