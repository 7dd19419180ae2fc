"""The doctor's look at items of one's own data set: pixels, boxes and labels that are not what they should be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision import tv_tensors

from detector.judging.doctor import examine
from detector.judging.findings import Severity


class Items(torch.utils.data.Dataset):
    """What a user's own training script has: items without names or categories."""

    def __init__(self, *items: tuple[Any, Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.items[index]


PIXELS = torch.rand((3, 40, 60), generator=torch.Generator().manual_seed(0))
BOXES = torch.tensor([[2.0, 3.0, 20.0, 30.0], [30.0, 5.0, 50.0, 20.0]])
TARGET = {"boxes": BOXES, "labels": torch.tensor([1, 2])}
SIDES = torch.tensor([[12.0, 13.0, 8.0, 7.0], [30.0, 25.0, 20.0, 10.0]])
FORMATTED = tv_tensors.BoundingBoxes(SIDES, format="XYWH", canvas_size=(40, 60))

ODD_ITEMS = {
    "normalised": ((PIXELS - 0.45) / 0.22, TARGET, "double_normalisation"),
    "bytes as floats": (PIXELS * 255, TARGET, "pixels_not_scaled"),
    "NaN": (torch.full((3, 40, 60), float("nan")), TARGET, "item_unusable"),
    "grey": (PIXELS[0], TARGET, "item_unusable"),
    "no boxes": (PIXELS, {"labels": TARGET["labels"]}, "item_unusable"),
    "fewer labels": (PIXELS, {**TARGET, "labels": torch.tensor([1])}, "item_unusable"),
    "sides": (PIXELS, {**TARGET, "boxes": SIDES}, "box_format"),
    "a format that says so": (PIXELS, {**TARGET, "boxes": FORMATTED}, "box_format"),
    "label 0": (PIXELS, {**TARGET, "labels": torch.tensor([0, 2])}, "label_zero"),
}


@pytest.mark.parametrize("name", ODD_ITEMS)
def test_items_of_a_plain_torch_data_set(name: str) -> None:
    pixels, target, check = ODD_ITEMS[name]
    found = examine(Items((pixels, target))).find(check)
    assert found is not None
    assert found.severity is Severity.ERROR
    assert examine(Items((PIXELS, TARGET))).findings == ()
    assert found.image in (None, "image 0")


def test_the_same_pixels_are_one_image_as_bytes_or_floats() -> None:
    whole = (PIXELS * 255).round().to(torch.uint8)
    report = examine(Items((whole, TARGET)), others=[Items((whole.float() / 255, TARGET))])
    assert report.find("leak") is not None
