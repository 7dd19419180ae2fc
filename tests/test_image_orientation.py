"""Every EXIF orientation, and what cannot be one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps
from support.images import encoded, pixels_of


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_all_eight_orientations(kind: str, orientation: int) -> None:
    # The stored picture is turned away by hand; upright, its top left quarter is red and its top right green.
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16, 0], upright[:8, 16:, 1] = 255, 255
    turn_away = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turn_away[orientation]))
    data = encoded(stored, kind, exif=exif)
    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(np.array(ImageOps.exif_transpose(opened).convert("RGB")), pixels_of(data))
    assert pixels_of(data)[2, 2, 0] > 200
    assert pixels_of(data)[2, 29, 1] > 200
    assert pixels_of(data)[13, 2].max() < 60


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_corrupt_exif_costs_only_the_orientation(exif: bytes) -> None:
    assert pixels_of(encoded(Image.new("RGB", (8, 6), "red"), "JPEG", exif=exif)).shape == (6, 8, 3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert pixels_of(encoded(Image.new("RGB", (8, 6)), "JPEG", exif=exif)).shape == (6, 8, 3)
