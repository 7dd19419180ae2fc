"""Whether a data set can be trained on: asked before the first step, without decoding an image.

An infinite box crashes torchvision, a box of NaN is trained on in silence, a missing file ends a run after hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.data.annotated import AnnotatedFiles, other_size
from detector.data.coco import CocoDataset
from detector.data.image_headers import upright_size
from detector.judging.doctor_boxes import box_format, box_frame, crowded, degenerate, wholly_outside
from detector.judging.doctor_survey import Entries, Layout, SeenImage, Size, Survey
from detector.judging.findings import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.annotated import AnnotatedImage
    from detector.data.coco_export import AnnotatedImages
    from detector.judging.findings import Finding

_TOLD = 3


def training_problems(dataset: AnnotatedImages, *, limit: int | None = None) -> tuple[str, ...]:
    """What keeps a data set from being trained on, one sentence each; empty where it is fit for training.

    These are the doctor's errors that can be told from annotations and image headers: no images, no objects, images
    with too many objects, boxes without an area, wholly outside of their image, of another layout, or in shares
    instead of pixels; images that vanished, are no images, or are of another size than annotated. Entries that mean
    nothing are refused earlier, by `open_dataset`.

    Args:
        dataset: opened. A world of shapes is fit by construction; any other data set that is no folder of files is
            not looked at.
        limit: only so many images, from the first one; all of them when left out.
    """
    if not isinstance(dataset, AnnotatedFiles):
        return ()
    images = dataset.images[:limit]
    if not images:
        return (f"{dataset.root}: there are no images",)
    headers = [_header(image) for image in images]
    survey = _survey(dataset, images, [size for size, _ in headers])
    nothing = len(survey) == int(survey.crowd.sum())
    empty = [f"{dataset.root}: there are no objects to learn from"] if nothing else []
    wrong = [problem for _, problem in headers if problem is not None]
    return (*_first_of(wrong), *empty, *map(_sentence, _wrong_boxes(survey)))


def _wrong_boxes(survey: Survey) -> list[Finding]:
    """What is surely wrong. Where the doctor only infers another frame from where boxes lie, nothing is refused."""
    if len(survey) == 0:
        return []
    shares = float(survey.boxes.abs().max()) <= 1
    first = box_format(survey) or (box_frame(survey) if shares else None)
    found = [first] if first is not None else [crowded(survey), degenerate(survey), wholly_outside(survey)]
    return [finding for finding in found if finding is not None]


def _survey(
    dataset: AnnotatedFiles, images: Sequence[AnnotatedImage], sizes: Sequence[Size | None]
) -> Survey:
    """The annotations as the doctor looks at them: numbers as the file has them, with the sizes of the images."""
    entries = Entries.none()
    layout: Layout = "xywh" if isinstance(dataset, CocoDataset) else "xyxy"
    for index, image in enumerate(images):
        for thing in image.objects:
            x1, y1, x2, y2 = thing.box
            numbers = [x1, y1, x2 - x1, y2 - y1] if layout == "xywh" else [x1, y1, x2, y2]
            entries.add(index, numbers, thing.label, thing.id, thing.ignored)
    numbers, labels, ids, image_of, crowd = entries.tensors()
    seen = tuple(SeenImage(image.path.name, size, None) for image, size in zip(images, sizes, strict=True))
    names = dict(enumerate(dataset.categories[1:], 1))
    return Survey(
        dataset.root.name, seen, numbers, layout, labels, ids, image_of, crowd, names, dataset.categories
    )


def _header(image: AnnotatedImage) -> tuple[Size | None, str | None]:
    """(H, W) of the file, and why a run would stumble over it."""
    try:
        size = upright_size(image.path)
    except ValueError as problem:
        return None, str(problem)
    return size, other_size(image, size) if image.size not in (None, size) else None


def _first_of(wrong: list[str]) -> list[str]:
    """The first few sentences, and how many more there are."""
    more = len(wrong) - _TOLD
    return wrong[:_TOLD] + ([f"{more:,} more images cannot be used"] if more > 0 else [])


def _sentence(finding: Finding) -> str:
    named = "; ".join(dict.fromkeys(str(place) for place in finding.places if str(place)))
    more = "; ..." if finding.count > EXAMPLES else ""
    return f"{finding.message} (at {named}{more})" if named else finding.message
