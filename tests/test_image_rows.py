"""A PNG that holds all of its rows, and one that does not."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from PIL import Image
from support.images import encoded, picture, pixels_of, png, refusal


def test_a_png_whose_data_chunk_is_short() -> None:
    row = bytes(3 * 40 + 1)
    for rows in (0, 2, 39):
        assert "last row" in refusal(png(40, 40, row * rows)), rows
    assert "last row" in refusal(png(40, 40, (row * 40)[:-1]))
    assert pixels_of(png(40, 40, row * 40)).shape == (40, 40, 3)


@pytest.mark.parametrize("seed", range(12))
def test_whole_pngs_of_every_layout_are_whole(seed: int) -> None:
    draw = np.random.default_rng(seed)
    width, height = (int(side) for side in draw.integers(1, 40, 2))
    colour, depths = ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (4, (8, 16)), (6, (8, 16)))[seed % 4]
    depth = int(draw.choice(depths))
    bits = depth * {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    rows = (b"\0" + bytes(math.ceil(width * bits / 8))) * height
    assert pixels_of(png(width, height, rows, depth=depth, colour=colour)).shape == (height, width, 3)
    assert "last row" in refusal(png(width, height, rows[:-1], depth=depth, colour=colour))


@pytest.mark.parametrize("seed", range(12))
def test_interlaced_pngs(seed: int) -> None:
    # Adam7 by brute force: the pass of each pixel from the eight by eight pattern of the specification.
    pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    width, height = (int(side) for side in np.random.default_rng(seed).integers(1, 20, 2))
    data = b""
    for number in "1234567":
        for y in range(height):
            count = sum(pattern[y % 8][x % 8] == number for x in range(width))
            data += (b"\0" + bytes(3 * count)) if count else b""
    assert pixels_of(png(width, height, data, interlaced=1)).shape == (height, width, 3)
    assert "last row" in refusal(png(width, height, data[:-1], interlaced=1))


def test_a_png_whose_chunk_lies_about_its_length() -> None:
    data = bytearray(encoded(Image.fromarray(picture())))
    place = data.index(b"IDAT") - 4
    data[place : place + 4] = struct.pack(">I", 5)
    assert "damaged" in refusal(bytes(data))
