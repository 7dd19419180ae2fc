"""Images that come as tensors, arrays and PIL images: what fits, and each refusal as one sentence."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from support.images import encoded, picture, refusal

from detector.data.images import read_image


def test_too_many_pixels_in_memory() -> None:
    row = np.zeros((1, 1, 3), np.uint8)
    assert "50 megapixels" in refusal(np.broadcast_to(row, (10_000, 6_000, 3)))
    assert "50 megapixels" in refusal(torch.zeros(3, 1, 1).expand(3, 10_000, 6_000))


def test_images_without_pixels() -> None:
    for source in (Image.new("RGB", (0, 5)), np.zeros((0, 5, 3), np.uint8), torch.zeros(3, 5, 0)):
        assert "no pixels" in refusal(source)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.01, 1.01, 255.0])
@pytest.mark.parametrize("seed", range(2))
def test_tensors_with_one_bad_value(value: float, seed: int) -> None:
    tensor = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(seed))
    tensor.view(-1)[17 * seed] = value
    assert "0 to 1" in refusal(tensor)


def test_zero_and_one_are_in_range() -> None:
    assert read_image(torch.tensor([0.0, 1.0, 0.5]).view(3, 1, 1)).pixels.flatten().tolist() == [0, 255, 128]


def test_shapes_and_types_that_do_not_fit() -> None:
    bad_arrays = [
        np.zeros(shape, np.uint8) for shape in ((4, 4, 2), (4, 4, 5), (3, 4, 5), (4,), (1, 4, 4, 3))
    ]
    for array in bad_arrays:
        assert "[H, W, 3]" in refusal(array)
    bad_tensors = [torch.zeros(shape) for shape in ((1, 4, 4), (4, 4, 4), (4, 4, 3), (4, 4), (1, 3, 4, 4))]
    for tensor in bad_tensors:
        assert "[3, H, W]" in refusal(tensor)
    assert "float64" in refusal(np.zeros((4, 4, 3)))
    assert "float64" in refusal(torch.zeros(3, 4, 4, dtype=torch.float64))
    assert "float16" in refusal(torch.zeros(3, 4, 4, dtype=torch.float16))
    assert "floating-point" in refusal(Image.new("F", (3, 3)))
    assert "32-bit" in refusal(Image.new("I", (3, 3), 70_000))
    with pytest.raises(TypeError, match="NoneType"):
        read_image(None)  # type: ignore[arg-type]


def test_a_damaged_pil_image_is_refused_too() -> None:
    data = encoded(Image.fromarray(picture(1, 64, 64)))
    assert "damaged" in refusal(Image.open(io.BytesIO(data[: len(data) // 2])))
