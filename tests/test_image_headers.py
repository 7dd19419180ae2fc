"""The size from an image's header is that of the pixels that are read, whatever the format and the orientation."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.data.image_decoding import FORMATS, ImageRefused
from detector.data.image_headers import is_image_name, stored_size, upright_size
from detector.data.images import read_image


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_says_its_size(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind.lower()}"
    Image.new("RGB", (14, 9)).save(path, kind)
    assert is_image_name(path.name)
    assert upright_size(path) == read_image(path).size == (9, 14)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_orientation_is_obeyed(tmp_path: Path, kind: str, orientation: int) -> None:
    path = tmp_path / f"x.{kind.lower()}"
    Image.new("RGB", (14, 9)).save(path, kind, exif=_exif(orientation))
    assert stored_size(path) == ((9, 14), orientation)
    assert upright_size(path) == read_image(path).size


def test_an_orientation_behind_the_pixels_is_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.new("RGB", (14, 9)).save(path)
    content = _exif(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + content
    chunk = struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = path.read_bytes()
    end = data.rindex(b"IEND") - 4
    path.write_bytes(data[:end] + chunk + data[end:])
    assert upright_size(path) == read_image(path).size == (14, 9)


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(np.zeros((6000, 9000), np.uint8)).save(path, compress_level=1)
    with pytest.raises(ImageRefused, match=r"x\.png: 9000 x 6000 is over 50 megapixels"):
        upright_size(path)
    for content, message in (
        (b"", "not an image"),
        (b"no image", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "x.png: "),
    ):
        path.write_bytes(content)
        with pytest.raises(ImageRefused, match=message) as caught:
            upright_size(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageRefused, match="no such file"):
        upright_size(tmp_path / "nowhere.png")


def test_names_of_images() -> None:
    assert [name for name in ("a.JPG", "b.txt", "c", ".hidden.png", "d.e.webp") if is_image_name(name)] == [
        "a.JPG",
        "d.e.webp",
    ]
