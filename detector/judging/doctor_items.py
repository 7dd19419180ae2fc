"""Reading any torch data set of (image, target) pairs with all its mistakes.

Shapes: `G` objects of one item; `boxes` [G, 4] should be xyxy in the image frame, `labels` [G] from 1.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchvision import tv_tensors

from detector.data.images import read_image
from detector.judging.doctor_images import header_of, look_at_pixels
from detector.judging.doctor_survey import Entries, Looked, SeenImage, Survey
from detector.judging.findings import Finding, Place, Severity, finding_at

if TYPE_CHECKING:
    from collections.abc import Callable


def survey_items(
    dataset: Any,  # noqa: ANN401 - anything with a length and items
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Read the items of a data set, as a training loop would.

    Args:
        dataset: `len()` and items `(image, target)`: the image a tensor [3, H, W], a PIL image or an array; the
            target a mapping with `boxes` and `labels`. `categories` (index 0 is background) and
            `image_path(index)` are used where it has them.
        limit: at most so many items, the first ones.
        progress: told items so far and items in all.

    Raises:
        TypeError: no length or no items.
    """
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise TypeError(
            f"a data set was given as {type(dataset).__name__}; expected len() and items (image, target)"
        )
    total = len(dataset) if limit is None else min(limit, len(dataset))
    images, entries, problems, formats = [], Entries.none(), [], set()
    for index in range(total):
        name = _name(dataset, index)
        looked = None
        try:
            looked, target = _item(dataset, index)
            formats |= _take(entries, index, target)
        except Exception as problem:  # the data set is the caller's: whatever it raises is a finding
            problems.append((f"{name} cannot be used: {_one_line(problem)}", Place(name)))
        images.append(SeenImage(name, None, looked))
        if progress is not None:
            progress(index + 1, total)
    names = getattr(dataset, "categories", None)
    listed = tuple(map(str, names)) if names else None
    return Survey(
        type(dataset).__name__, tuple(images), *_in_order(entries),
        dict(enumerate(listed[1:], 1)) if listed else None, listed,
        tuple(f for f in (_unusable(problems), _other_format(formats)) if f is not None), total == len(dataset),
    )  # fmt: skip


def _in_order(entries: Entries) -> tuple[Tensor, Any, Tensor, Tensor, Tensor, Tensor]:
    numbers, labels, ids, images, crowd = entries.tensors()
    return numbers, "xyxy", labels, ids, images, crowd


def _name(dataset: Any, index: int) -> str:  # noqa: ANN401
    path = _path(dataset, index)
    return f"image {index}" if path is None else path.name


def _path(dataset: Any, index: int) -> Path | None:  # noqa: ANN401
    """The item's file, where the data set says it."""
    path_of: Any = getattr(dataset, "image_path", None)
    return None if path_of is None else Path(path_of(index))


def _item(dataset: Any, index: int) -> tuple[Looked, Any]:  # noqa: ANN401
    image, target = dataset[index]
    path = _path(dataset, index)
    pixels = image if isinstance(image, Tensor) else read_image(image).pixels
    looked = look_at_pixels(pixels)
    if path is not None and path.is_file():
        stored, flag = header_of(path)
        looked = replace(looked, stored_size=stored, orientation=flag)
    return looked, target


def _take(entries: Entries, index: int, target: Any) -> set[str]:  # noqa: ANN401
    """Take in the objects of one item; the box format that its tensor names."""
    for key in ("boxes", "labels"):
        if key not in target:
            raise ValueError(f"its target has no {key!r}")
    boxes = torch.as_tensor(target["boxes"])
    labels = torch.as_tensor(target["labels"]).reshape(-1)
    if boxes.numel() and (boxes.ndim != 2 or boxes.shape[1] != 4):
        raise ValueError(f"its boxes have shape {tuple(boxes.shape)}; expected [G, 4] as x1, y1, x2, y2")
    if labels.is_floating_point() and not torch.equal(labels, labels.round()):
        raise ValueError("a label is no whole number")
    numbers = boxes.as_subclass(Tensor).double().reshape(-1, 4)
    if len(numbers) != len(labels):
        raise ValueError(f"it has {len(numbers)} boxes and {len(labels)} labels")
    if not bool(numbers.isfinite().all()):
        raise ValueError("a box holds NaN or infinite values")
    ids = torch.as_tensor(target.get("ids", torch.full((len(labels),), -1))).tolist()
    crowd = torch.as_tensor(target.get("iscrowd", torch.zeros(len(labels)))).bool().tolist()
    for row in zip(numbers.tolist(), labels.long().tolist(), ids, crowd, strict=True):
        entries.add(index, *row)
    return {boxes.format.value} if isinstance(boxes, tv_tensors.BoundingBoxes) else set()


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__


def _unusable(problems: list[tuple[str, Place]]) -> Finding | None:
    more = f" ({len(problems)} in all)" if len(problems) > 1 else ""
    return finding_at(
        Severity.ERROR, "item_unusable", problems[0][0] + more if problems else "",
        "Make the data set give (image [3, H, W], target with boxes [G, 4] and labels [G]) here.",
        [place for _, place in problems],
    )  # fmt: skip


def _other_format(formats: set[str]) -> Finding | None:
    wrong = sorted(formats - {"XYXY"})
    if not wrong:
        return None
    return Finding(
        Severity.ERROR, "box_format",
        f"the boxes are tensors of the format {', '.join(wrong)}; a torchvision detector reads them as XYXY",
        "Convert them: torchvision.transforms.v2.ConvertBoundingBoxFormat('XYXY').",
    )  # fmt: skip
