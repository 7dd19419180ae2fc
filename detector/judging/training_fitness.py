"""Whether a data set can be trained on: asked before the first step, without decoding an image.

An infinite box crashes torchvision, a box of NaN is trained on in silence, a missing file ends a run after hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.data.annotated import AnnotatedFiles, other_size
from detector.data.image_headers import upright_size
from detector.judging.doctor_boxes import box_findings
from detector.judging.doctor_survey import Entries, SeenImage, Survey
from detector.judging.findings import EXAMPLES, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.annotated import AnnotatedImage
    from detector.data.coco_export import AnnotatedImages
    from detector.judging.findings import Finding

_TOLD = 3


def training_problems(dataset: AnnotatedImages, *, limit: int | None = None) -> tuple[str, ...]:
    """What keeps a data set from being trained on, one sentence each; empty where it is fit for training.

    These are the doctor's errors that can be told from annotations and image headers: no images, no objects, boxes
    without an area, wholly outside of their image, of another layout or of another frame, images that vanished, and
    images of another size than annotated. What cannot even be read is refused earlier, by `open_dataset`.

    Args:
        dataset: opened. A world of shapes is fit by construction; any other data set that is no folder of files is
            not looked at.
        limit: only so many images, from the first one; all of them when left out.
    """
    if not isinstance(dataset, AnnotatedFiles):
        return ()
    images = dataset.images[:limit]
    survey = _survey(dataset, images)
    if not images:
        return (f"{dataset.root}: there are no images",)
    nothing = len(survey) == int(survey.crowd.sum())
    empty = [f"{dataset.root}: there are no objects to learn from"] if nothing else []
    errors = [found for found in box_findings(survey).findings if found and found.severity is Severity.ERROR]
    return (*_wrong_files(images), *empty, *map(_sentence, errors))


def _survey(dataset: AnnotatedFiles, images: Sequence[AnnotatedImage]) -> Survey:
    """The annotations as the doctor looks at them, with the sizes that they or the headers say."""
    entries = Entries.none()
    for index, image in enumerate(images):
        for thing in image.objects:
            entries.add(index, list(thing.box), thing.label, thing.id, thing.ignored)
    numbers, labels, ids, image_of, crowd = entries.tensors()
    seen = tuple(SeenImage(image.path.name, image.size, None) for image in images)
    names = dict(enumerate(dataset.categories[1:], 1))
    return Survey(
        dataset.root.name, seen, numbers, "xyxy", labels, ids, image_of, crowd, names, dataset.categories
    )


def _wrong_files(images: Sequence[AnnotatedImage]) -> list[str]:
    """Images that a run would stumble over: one sentence for the first few, and how many more."""
    wrong = [problem for image in images if (problem := _wrong_file(image)) is not None]
    more = len(wrong) - _TOLD
    return wrong[:_TOLD] + ([f"{more:,} more images cannot be used"] if more > 0 else [])


def _wrong_file(image: AnnotatedImage) -> str | None:
    try:
        size = upright_size(image.path)
    except ValueError as problem:
        return str(problem)
    return other_size(image, size) if image.size not in (None, size) else None


def _sentence(finding: Finding) -> str:
    named = "; ".join(dict.fromkeys(str(place) for place in finding.places if str(place)))
    more = "; ..." if finding.count > EXAMPLES else ""
    return f"{finding.message} (at {named}{more})" if named else finding.message
