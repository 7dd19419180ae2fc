"""Small images, honest ones and lying ones, and the sentence with which one is refused."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import numpy as np
import pytest
from PIL import Image

from detector.data.images import ImageSource, read_image

_FOREIGN = ("EPS", "PDF", "TGA", "ICO", "SGI")


def picture(seed: int = 0, height: int = 7, width: int = 11, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, rows: bytes, *extra: bytes, depth: int = 8, colour: int = 2, interlaced: int = 0
) -> bytes:
    """A PNG written by hand, so that it can lie."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + body


def refusal(source: ImageSource) -> str:
    """The one sentence with which a source is refused."""
    with pytest.raises(ValueError) as caught:
        read_image(source)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def pixels_of(source: ImageSource) -> np.ndarray:
    """uint8 [H, W, 3] as they are read."""
    return read_image(source).pixels.permute(1, 2, 0).numpy()


@cache
def bad_images() -> dict[str, tuple[bytes, str]]:
    """File name -> (bytes, words of the sentence with which they are refused)."""
    small, flat, row = Image.fromarray(picture(1, 64, 64)), Image.new("RGB", (16, 16)), bytes(3 * 40 + 1)
    jpeg, whole = encoded(small, "JPEG"), encoded(small)
    place = whole.index(b"IDAT") - 4
    lying = whole[:place] + struct.pack(">I", 5) + whole[place + 4 :]
    endless = whole[:place] + struct.pack(">I", 2**31 - 1) + whole[place + 4 :]
    text = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(80_000_000)))
    foreign = {f"a.{kind.lower()}": (encoded(flat, kind), "known format") for kind in _FOREIGN}
    return foreign | {
        "empty.png": (b"", "the file is empty"),
        "text.jpg": (b"not a picture", "known format"),
        "page.png": (b"<html><body>not found</body></html>", "known format"),
        "a.fits": (b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800), "known format"),
        "half.jpg": (jpeg[: len(jpeg) // 2], "damaged"),
        "half.png": (whole[: len(whole) // 2], "damaged"),
        "short_data.png": (png(40, 40, row * 39), "before its last row"),
        "lying_length.png": (lying, "damaged"),
        "endless_data.png": (endless[: len(endless) // 2], "damaged"),
        "a.hdr": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n" + bytes(4), "known format"),
        "huge_text.png": (png(1, 1, bytes(4), text), "damaged"),
        "sixty_megapixels.png": (png(10_000, 6_000, b""), "over 50 megapixels"),
        "no_width.png": (png(0, 5, b""), "known format"),
        "float.tiff": (encoded(Image.new("F", (3, 3)), "TIFF"), "floating-point pixels"),
        "deep.tiff": (encoded(Image.new("I", (3, 3), 70_000), "TIFF"), "32-bit pixels"),
    }


def claiming(kind: str, width: int, height: int) -> bytes:
    """A small file of one format whose header claims a size; the rest of it is that of 11 x 7 pixels."""
    if kind == "PNG":
        return png(width, height, bytes(34 * 7))
    if kind == "PPM":
        return b"P6\n%d %d\n255\n" % (width, height) + bytes(3 * 77)
    data = bytearray(
        encoded(Image.fromarray(picture()), kind, **({"lossless": True} if kind == "WEBP" else {}))
    )
    place, packed = {
        "JPEG": (data.find(b"\xff\xc0") + 5, struct.pack(">HH", height, width)),
        "GIF": (6, struct.pack("<HH", width, height)),
        "BMP": (18, struct.pack("<ii", width, height)),
        "WEBP": (21, struct.pack("<I", (width - 1) | (height - 1) << 14)),
        "TIFF": (0, b""),
    }[kind]
    data[place : place + len(packed)] = packed
    for tag, side in ((256, width), (257, height)) if kind == "TIFF" else ():
        entry = data.index(struct.pack("<HHI", tag, 4, 1))
        data[entry + 8 : entry + 12] = struct.pack("<I", side)
    return bytes(data)
