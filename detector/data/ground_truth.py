"""The objects that an image is known to hold.

Shapes: `G` objects, boxes float32 [G, 4] xyxy in the **image** frame (the file's own pixels).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

MOST_OBJECTS = 10_000
"""How many objects an image may have: what is worked out for each of them grows with their number."""
MANY_REMEDY = "cut it into several images, or look whether all its annotations belong to it"


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """Annotated objects of one image.

    Args:
        boxes: float [G, 4], xyxy pixels in the image frame, finite, x2 > x1 and y2 > y1.
        labels: int64 [G], category indices; 0 is background and not allowed.
        crowd: bool [G], COCO's `iscrowd` (a region that matches any number of detections and is never
            missed); none by default.
        ids: int64 [G], annotation ids of the file the objects came from; 0..G-1 by default.

    Raises:
        ValueError: a shape, value or length that does not fit, naming the first object at fault.
    """

    boxes: Tensor
    labels: Tensor
    crowd: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool))
    ids: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))

    def __post_init__(self) -> None:
        # A plain tensor: each operation on torchvision's own kind of boxes takes several times as long.
        boxes = torch.as_tensor(self.boxes, dtype=torch.float32).as_subclass(Tensor)
        labels = _whole(torch.as_tensor(self.labels)).reshape(-1)
        count = len(labels)
        if count > MOST_OBJECTS:
            raise ValueError(
                f"the image has {count:,} objects; expected {MOST_OBJECTS:,} at most: {MANY_REMEDY}"
            )
        boxes = boxes.reshape(0, 4) if boxes.numel() == 0 else boxes
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(
                f"ground-truth boxes have shape {tuple(boxes.shape)}; expected [G, 4] as x1, y1, x2, y2"
            )
        if len(boxes) != count:
            raise ValueError(
                f"{len(boxes)} ground-truth boxes but {count} labels; give one label for each box"
            )
        _refuse_first(~torch.isfinite(boxes).all(dim=1), boxes, "is not finite")
        _refuse_first(
            (boxes[:, 2:] <= boxes[:, :2]).any(dim=1), boxes, "has no area (expected x2 > x1 and y2 > y1)"
        )
        _refuse_first(labels < 1, labels, "is not a category (0 is background, categories start at 1)")
        crowd, ids = (torch.as_tensor(value) for value in (self.crowd, self.ids))
        crowd = torch.zeros(count, dtype=torch.bool) if len(crowd) == 0 else crowd.to(torch.bool)
        ids = torch.arange(count) if len(ids) == 0 else ids.to(torch.int64)
        if len(crowd) != count or len(ids) != count:
            raise ValueError(
                f"{count} objects but {len(crowd)} crowd flags and {len(ids)} ids; give one for each"
            )
        for name, value in (("boxes", boxes), ("labels", labels), ("crowd", crowd), ("ids", ids)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.labels)

    def as_target(self) -> dict[str, Tensor]:
        """What a torchvision detector takes in training mode: `{"boxes", "labels"}`, without crowd regions."""
        keep = ~self.crowd
        return {"boxes": self.boxes[keep], "labels": self.labels[keep]}


def _whole(labels: Tensor) -> Tensor:
    """As int64; a number between two categories is none of them."""
    if labels.is_floating_point():
        flat = labels.reshape(-1)
        _refuse_first(flat != flat.round(), flat, "is not a category (a whole number from 1)")
    return labels.to(torch.int64)


def _refuse_first(bad: Tensor, values: Tensor, why: str) -> None:
    if bad.any():
        index = int(bad.nonzero()[0])
        raise ValueError(f"ground-truth object {index}: {values[index].tolist()} {why}")
