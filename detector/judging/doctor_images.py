"""The doctor's look at the images: readable, upright, of the size that is said, and in one split only."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.data.image_headers import stored_size
from detector.data.images import read_image
from detector.judging.doctor_survey import Looked, Size, Survey
from detector.judging.findings import Finding, Place, Severity, finding_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TURNED = (5, 6, 7, 8)
_SLACK = 1.0
# Beyond these an input cannot be an image in [0, 1]; below them it may be the noise of an augmentation.
_UNDER, _OVER, _BYTES = -0.1, 1.5, 16.0


def look_at_file(path: Path) -> Looked:
    """Read one image file.

    Raises:
        ValueError: missing, unreadable or not an image, in one sentence.
    """
    read = read_image(path)
    stored, flag = header_of(path)
    return _looked(read.pixels.float() / 255, read.sha256, flag, stored)


def look_at_pixels(pixels: Tensor) -> Looked:
    """Look at an item of a torch data set: uint8 [3, H, W], or floats that go to the detector as they are.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise ValueError(f"its image has the shape {list(pixels.shape)}; expected [3, H, W]")
    values = pixels.detach().cpu().as_subclass(Tensor)
    if values.dtype == torch.uint8:
        return _looked(values.float() / 255, _digest(values))
    values = values.float()
    if not bool(values.isfinite().all()):
        raise ValueError("its image holds NaN or infinite values")
    in_range = bool(((values >= 0) & (values <= 1)).all())
    # Floats made of the bytes of a file give the digest of the file.
    return _looked(values, _digest((values * 255).round().to(torch.uint8) if in_range else values))


def _digest(values: Tensor) -> str:
    """As `read_image` takes it from uint8 [3, H, W]; over the bytes for all else."""
    if values.dtype == torch.uint8 and values.shape[0] == 3:
        return read_image(values).sha256
    return hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()


def _looked(values: Tensor, sha256: str, flag: int = 1, stored: Size | None = None) -> Looked:
    low, high = (float(value) for value in values.aminmax())
    std, mean = (float(value) for value in torch.std_mean(values))
    return Looked((values.shape[1], values.shape[2]), sha256, low, high, mean, std, flag, stored)


def header_of(path: Path) -> tuple[Size | None, int]:
    """((H, W) as the file's rows are stored, EXIF orientation); (None, 1) where the header cannot be read."""
    try:
        return stored_size(path)
    except ValueError:
        return None, 1


def image_findings(survey: Survey) -> list[Finding | None]:
    """Orientation flags, sizes that differ, and the range of the pixels."""
    return [*_orientation(survey), _size_differs(survey), *pixel_range(survey), _twice(survey)]


def turned_away(survey: Survey) -> dict[int, bool]:
    """Images whose boxes do not obey the EXIF flag: index -> whether that is sure."""
    found = {}
    for index, image in enumerate(survey.images):
        looked = image.looked
        if looked is None or looked.orientation == 1 or looked.stored_size is None:
            continue
        obeys = _obeys(survey, index, looked)
        if obeys is not True:
            found[index] = obeys is False
    return found


def _orientation(survey: Survey) -> list[Finding | None]:
    told, count = turned_away(survey), len(survey.images)
    ignored, unclear = (
        [Place(survey.images[i].name) for i, sure in told.items() if sure is wanted]
        for wanted in (True, False)
    )
    return [
        finding_at(
            Severity.ERROR, "orientation",
            f"{len(ignored)} of {count} images carry an EXIF orientation that their boxes ignore: the boxes fit "
            "the image as it is stored, not as it is shown and fed to the detector",
            "Turn the boxes as the flag says, or save the images upright without the flag.", ignored,
        ),
        finding_at(
            Severity.WARNING, "orientation_unclear",
            f"{len(unclear)} of {count} images carry an EXIF orientation, and nothing tells whether the boxes "
            "obey it",
            "Look at one of them with its boxes; whoever obeys the flag (Boxscope, most viewers) turns the image.",
            unclear,
        ),
    ]  # fmt: skip


def _obeys(survey: Survey, index: int, looked: Looked) -> bool | None:
    """Whether the boxes of a flagged image obey its flag; None where nothing tells."""
    image, boxes = survey.images[index], survey.boxes[survey.image_of == index]
    if len(boxes) == 0:
        return True
    if looked.orientation in _TURNED and looked.stored_size != looked.size:
        if image.said_size in (looked.size, looked.stored_size):
            return image.said_size == looked.size
        assert looked.stored_size is not None
        if not _inside(boxes, looked.size) and _inside(boxes, looked.stored_size):
            return False
        if _inside(boxes, looked.size) and not _inside(boxes, looked.stored_size):
            return True
    return None


def _inside(boxes: Tensor, size: Size) -> bool:
    height, width = size
    return bool((boxes <= torch.tensor([width, height, width, height]) + _SLACK).all())


def _size_differs(survey: Survey) -> Finding | None:
    wrong = []
    for image in survey.images:
        looked = image.looked
        if looked is None or image.said_size in (None, looked.size):
            continue
        if looked.orientation in _TURNED and image.said_size == looked.stored_size:
            continue  # told as an orientation that is ignored
        wrong.append((image, looked))
    if not wrong:
        return None
    first, looked = wrong[0]
    assert first.said_size is not None
    said, real = (f"{w}x{h}" for h, w in (first.said_size, looked.size))
    return finding_at(
        Severity.ERROR, "size_differs",
        f"{len(wrong)} of {len(survey.images)} images are of another size than the annotations say, {first.name} "
        f"for one: {said} said, {real} px in the file",
        "Use the images that were annotated, or scale their boxes by the same factor and correct width and height.",
        [Place(image.name) for image, _ in wrong],
    )  # fmt: skip


def pixel_range(survey: Survey) -> list[Finding | None]:
    """Values that a detector cannot take for an image in [0, 1]: normalised already, or not scaled.

    torchvision's detectors subtract mean and std themselves, so a data set that has done it makes them do it twice.
    """
    looked = [(image, image.looked) for image in survey.images if image.looked is not None]
    under = [(image, look) for image, look in looked if look.low < _UNDER]
    over = [(image, look) for image, look in looked if look.low >= _UNDER and look.high > _OVER]
    low = min((look.low for _, look in under), default=0.0)
    high = max((look.high for _, look in under + over), default=1.0)
    scaled = high > _BYTES
    return [
        finding_at(
            Severity.ERROR, "double_normalisation",
            f"{len(under)} of {len(looked)} images hold values from {low:.2f} to {high:.2f}: they are normalised "
            "already, and the detector's own transform subtracts mean and std once more",
            "Leave Normalize out of the data set's transforms: give floats from 0 to 1.",
            [Place(image.name) for image, _ in under],
        ),
        finding_at(
            Severity.ERROR, "pixels_not_scaled",
            f"{len(over)} of {len(looked)} images hold float values up to {high:.4g}; a detector expects 0 to 1",
            "Divide by 255 (torchvision's to_dtype with scale=True does it)." if scaled
            else "Scale the images to 0 to 1 before they go to the detector.",
            [Place(image.name) for image, _ in over],
        ),
    ]  # fmt: skip


def _twice(survey: Survey) -> Finding | None:
    """The same pixels under two names."""
    counts = Counter(image.looked.sha256 for image in survey.images if image.looked)
    again = [image.name for image in survey.images if image.looked and counts[image.looked.sha256] > 1]
    return finding_at(
        Severity.WARNING, "image_twice",
        f"{len(again)} of {len(survey.images)} images have the pixels of another one",
        "Keep one of each; what is annotated twice counts twice.", map(Place, again),
    )  # fmt: skip


def leak_findings(survey: Survey, others: Sequence[Survey]) -> list[Finding | None]:
    """Images that lie in another split, too, by the SHA-256 of their pixels."""
    return [_leaks(survey, other) for other in others]


def _leaks(survey: Survey, other: Survey) -> Finding | None:
    known = {image.looked.sha256: image.name for image in other.images if image.looked}
    shared = [image for image in survey.images if image.looked and image.looked.sha256 in known]
    first = f", {shared[0].name} as {known[shared[0].looked.sha256]}" if shared and shared[0].looked else ""
    return finding_at(
        Severity.ERROR, "leak",
        f"{len(shared)} of {len(survey.images)} images are in {other.name}, too{first}",
        "Remove them from one of both: what is measured on trained images says nothing.",
        [Place(image.name) for image in shared],
    )  # fmt: skip
