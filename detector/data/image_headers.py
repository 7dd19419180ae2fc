"""The size of an image as it will be shown, from its header: no pixel is decoded, where the format allows it.

Sizes are (height, width) after EXIF orientation, as `read_image` gives the pixels.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from detector.data.image_decoding import (
    check_size,
    one_sentence,
    open_image,
    open_image_file,
    orientation_of,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

IMAGE_ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
)
_TURNED = (5, 6, 7, 8)
# Only these chunks of a PNG can hold an orientation, and they may come after the pixels.
_MAY_TURN = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")


def upright_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image file, upright.

    Raises:
        ImageRefused: no such file, no image of a known format, or more than 50 megapixels; one sentence.
    """
    (height, width), orientation = stored_size(path)
    return (width, height) if orientation in _TURNED else (height, width)


def is_image_name(name: str) -> bool:
    """Whether a file's name ends as those of images do."""
    return name[name.rfind(".") :].lower() in IMAGE_ENDINGS and not name.startswith(".")


def stored_size(path: Path) -> tuple[tuple[int, int], int]:
    """((H, W) as the rows are stored, EXIF orientation from 1 to 8; 1 where there is none).

    Raises:
        ImageRefused: as `upright_size`.
    """
    with open_image_file(path) as file, one_sentence(str(path)), open_image(file) as image:
        check_size(image.width, image.height, str(path))
        plain = image.format == "PNG" and not _png_may_turn(file)
        flag = 1 if plain else orientation_of(image)
        # Pillow turns a TIFF file by itself, and says the size that it will have.
        turned = image.format == "TIFF" and flag in _TURNED
        return ((image.width, image.height) if turned else (image.height, image.width)), flag


def _png_may_turn(file: BinaryIO) -> bool:
    """Whether a PNG has a chunk that could hold an orientation; Pillow decodes all pixels to answer that."""
    position = file.tell()
    try:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind in _MAY_TURN:
                return True
            file.seek(length + 4, 1)
        return False
    finally:
        file.seek(position)
