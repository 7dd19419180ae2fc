"""The doctor's look at the boxes: format, frame, degenerate, outside, duplicated.

Shapes: `n` objects. Boxes are in the image frame; sizes are (height, width).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from detector.data.ground_truth import MANY_REMEDY, MOST_OBJECTS
from detector.judging.doctor_survey import Survey, as_xyxy
from detector.judging.findings import Finding, Place, Severity, finding_at

_SLACK = 0.01
_FEW, _SPREAD_OBJECTS, _SPREAD_IMAGES = 2, 20, 5
_ALL, _MANY, _SOME = 0.95, 0.2, 0.1
_REACHES_SURELY, _REACHES = 0.7, 0.85
_ALIKE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class BoxFindings:
    """What is wrong with the boxes.

    Args:
        findings: empty ones among them.
        usable: whether the boxes mean what a reader takes them for; if not, nothing else can be asked of them.
    """

    findings: tuple[Finding | None, ...]
    usable: bool


def box_findings(survey: Survey) -> BoxFindings:
    """Every check of the boxes; where format or frame are wrong, what follows from that is not told again."""
    if len(survey) == 0:
        return BoxFindings((), True)
    for check in (box_format, box_frame):
        found = check(survey)
        if found is not None and found.severity is Severity.ERROR:
            return BoxFindings((found,), False)
    single = (box_frame, degenerate, tiny, wholly_outside, outside, duplicated, labelled_twice)
    return BoxFindings(tuple(check(survey) for check in single), True)


def box_format(survey: Survey) -> Finding | None:
    """Four numbers that mean something else than the data set's reader takes them for.

    Read as they should be, boxes lie in their images and have an area. Where many do not, and nearly all would
    under another reading, that reading is the right one.
    """
    numbers, read = survey.numbers, survey.boxes
    bad = ~_sound(read, survey.sizes)
    if int(bad.sum()) < _FEW or float(bad.double().mean()) < _SOME:
        return None
    other, name, wanted = (numbers, "x1, y1, x2, y2", "x, y, width, height") if survey.layout == "xywh" else (
        as_xyxy(numbers), "x, y, width, height", "x1, y1, x2, y2")  # fmt: skip
    if float(bad.double().mean()) >= _MANY and _share(_sound(other, survey.sizes)) >= _ALL:
        return _format_finding(survey, bad, name, wanted, _share(_sound(other, survey.sizes)))
    centred = torch.cat((numbers[:, :2] - numbers[:, 2:] / 2, numbers[:, :2] + numbers[:, 2:] / 2), dim=1)
    enough = len(survey) >= _SPREAD_OBJECTS
    if enough and _share(_sound(centred, survey.sizes)) >= 0.99:
        share = _share(_sound(centred, survey.sizes))
        return _format_finding(survey, bad, "the box's centre, width and height", wanted, share)
    return None


def _format_finding(survey: Survey, bad: Tensor, name: str, wanted: str, share: float) -> Finding | None:
    return finding_at(
        Severity.ERROR, "box_format",
        f"the boxes hold {name} where {wanted} is expected: read as expected, {int(bad.sum())} of {len(bad)} "
        f"leave their image or have no area; read the other way, {share:.0%} are sound",
        f"Write each box as {wanted}.", survey.places(bad),
    )  # fmt: skip


def _sound(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Bool [n]: with an area, and inside the image within a hundredth of its sides and a pixel."""
    slack = sizes.flip(1) * _SLACK + 1
    area = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    return area & (boxes[:, :2] >= -slack).all(dim=1) & (boxes[:, 2:] <= sizes.flip(1) + slack).all(dim=1)


def _share(mask: Tensor) -> float:
    return float(mask.double().mean())


def box_frame(survey: Survey) -> Finding | None:
    """Boxes in another frame than the image's own pixels: shares of the sides, or an image of another size.

    A wrong scale keeps the origin, so boxes leave the image to the right and at the bottom only, or never come
    near those sides.
    """
    known = survey.sizes.isfinite().all(dim=1)
    boxes, sizes = survey.boxes[known], survey.sizes[known].flip(1)
    if len(boxes) == 0:
        return None
    if float(boxes.abs().max()) <= 1.0 and float(sizes.min()) >= 16:
        return _frame_finding(
            survey, known, Severity.ERROR,
            f"all {len(boxes)} boxes lie between 0 and 1: they are shares of the image's sides, not pixels",
            "Multiply x and width by the image's width, y and height by its height.",
        )  # fmt: skip
    reach = boxes[:, 2:] / sizes
    far = (boxes[:, 2:] > sizes * (1 + 2 * _SLACK) + 1).any(dim=1)
    before = (boxes[:, :2] < -sizes * _SLACK - 1).any(dim=1)
    if int(far.sum()) > _FEW and _share(far) >= _SOME and _share(before) <= _share(far) / 10:
        factor = reach.quantile(0.99, dim=0) if len(reach) >= 100 else reach.amax(dim=0)
        return _too_large(survey, known, far, int(before.sum()), factor)
    return _too_small(survey, known, reach)


def _too_large(survey: Survey, known: Tensor, far: Tensor, before: int, factor: Tensor) -> Finding | None:
    chosen = known.nonzero().flatten()[far]
    x, y = factor.tolist()
    return _frame_finding(
        survey, chosen, Severity.ERROR,
        f"{len(chosen)} of {int(known.sum())} boxes leave their image to the right or at the bottom, and "
        f"{before or 'none'} at the other sides: they are in the frame of an image about {x:.2g} times as wide and "
        f"{y:.2g} times as high",
        "Scale the boxes by image size / annotated size, or use the images that were annotated.",
    )  # fmt: skip


def _too_small(survey: Survey, known: Tensor, reach: Tensor) -> Finding | None:
    x, y = reach.amax(dim=0).tolist()
    images = len(survey.image_of[known].unique())
    spread = len(reach) >= _SPREAD_OBJECTS and images >= _SPREAD_IMAGES
    if not spread or max(x, y) > _REACHES or abs(x - y) > _ALIKE:
        return None
    sure = max(x, y) <= _REACHES_SURELY
    return _frame_finding(
        survey, known, Severity.ERROR if sure else Severity.WARNING,
        f"of {len(reach)} boxes in {images} images none reaches beyond {x:.0%} of the width or {y:.0%} of the "
        "height: they are in the frame of a smaller image",
        "Scale the boxes by image size / annotated size, or use the images that were annotated.",
    )  # fmt: skip


def _frame_finding(
    survey: Survey, chosen: Tensor, severity: Severity, message: str, remedy: str
) -> Finding | None:
    return finding_at(severity, "box_frame", message, remedy, survey.places(chosen))


def crowded_images(survey: Survey) -> list[int]:
    """Images with more objects than are looked at on one image."""
    counts = torch.bincount(survey.image_of, minlength=len(survey.images))
    return (counts > MOST_OBJECTS).nonzero().flatten().tolist()


def crowded(survey: Survey) -> Finding | None:
    """Images that no diagnosis or training takes, for they have too many objects."""
    images = crowded_images(survey)
    return finding_at(
        Severity.ERROR, "too_many_objects",
        f"{len(images)} of {len(survey.images)} images have more than {MOST_OBJECTS:,} objects: no diagnosis and "
        "no training takes them", f"{MANY_REMEDY[:1].upper()}{MANY_REMEDY[1:]}.",
        [Place(survey.images[image].name) for image in images],
    )  # fmt: skip


def degenerate(survey: Survey) -> Finding | None:
    """Boxes without an area in the float32 that a detector gets; torchvision refuses to train on them."""
    boxes = survey.boxes.float()
    bad = (boxes[:, 2:] <= boxes[:, :2]).any(dim=1)
    return finding_at(
        Severity.ERROR, "degenerate_box", f"{int(bad.sum())} of {len(bad)} boxes have no area",
        "Draw them again or remove them; training stops at the first one.", survey.places(bad),
    )  # fmt: skip


def tiny(survey: Survey) -> Finding | None:
    """Boxes with a side under a pixel."""
    sides = (survey.boxes[:, 2:] - survey.boxes[:, :2]).amin(dim=1)
    bad = (sides > 0) & (sides < 1)
    return finding_at(
        Severity.WARNING, "tiny_box", f"{int(bad.sum())} of {len(bad)} boxes have a side under one pixel",
        "Remove them, or mark them as crowd: no detector can find what covers no pixel.", survey.places(bad),
    )  # fmt: skip


def wholly_outside(survey: Survey) -> Finding | None:
    """Boxes of which no pixel lies in the image."""
    bad = _misses(survey)
    return finding_at(
        Severity.ERROR, "box_outside", f"{int(bad.sum())} of {len(bad)} boxes lie wholly outside their image",
        "Draw them again or remove them.", survey.places(bad),
    )  # fmt: skip


def outside(survey: Survey) -> Finding | None:
    """Boxes that stick out of the image by more than a rounding."""
    sizes = survey.sizes.flip(1)
    slack = sizes * _SLACK + 1
    far = (survey.boxes[:, :2] < -slack).any(dim=1) | (survey.boxes[:, 2:] > sizes + slack).any(dim=1)
    bad = far & ~_misses(survey)
    return finding_at(
        Severity.WARNING, "box_sticks_out", f"{int(bad.sum())} of {len(bad)} boxes stick out of their image",
        "Clip them: detections are clipped to the image and overlap such boxes less.", survey.places(bad),
    )  # fmt: skip


def _misses(survey: Survey) -> Tensor:
    sizes = survey.sizes.flip(1)
    return (survey.boxes[:, :2] >= sizes).any(dim=1) | (survey.boxes[:, 2:] <= 0).any(dim=1)


def duplicated(survey: Survey) -> Finding | None:
    """The same box with the same label twice in one image."""
    bad = _again(torch.cat((_places_of_boxes(survey), survey.labels[:, None]), dim=1))
    return finding_at(
        Severity.WARNING, "box_twice",
        f"{int(bad.sum())} of {len(bad)} objects are annotated a second time, with the same box and label",
        "Remove one of each: a detector can find only one of both.", survey.places(bad),
    )  # fmt: skip


def labelled_twice(survey: Survey) -> Finding | None:
    """The same box with two labels in one image."""
    same_label = _again(torch.cat((_places_of_boxes(survey), survey.labels[:, None]), dim=1))
    bad = _again(_places_of_boxes(survey)) & ~same_label
    return finding_at(
        Severity.WARNING, "two_labels",
        f"{int(bad.sum())} of {len(bad)} boxes are annotated again under another label",
        "Keep the right label of each.", survey.places(bad),
    )  # fmt: skip


def _places_of_boxes(survey: Survey) -> Tensor:
    """Image and box in half pixels, int64 [n, 5]."""
    return torch.cat((survey.image_of[:, None], (survey.boxes * 2).round().long()), dim=1)


def _again(rows: Tensor) -> Tensor:
    """Bool [n]: rows that stand there before."""
    _, inverse = rows.unique(dim=0, return_inverse=True)
    first = torch.full((int(inverse.max()) + 1,), len(rows)).scatter_reduce(
        0, inverse, torch.arange(len(rows)), "amin"
    )
    return first[inverse] < torch.arange(len(rows))
