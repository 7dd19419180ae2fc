"""The size of an image as it will be shown, from its header: no pixel is decoded, where the format allows it.

Sizes are (height, width) after EXIF orientation, as `read_image` gives the pixels.
"""

from __future__ import annotations

import struct
import warnings
from typing import TYPE_CHECKING

from PIL import Image

from detector.data.images import FORMATS, ImageRefused

if TYPE_CHECKING:
    from pathlib import Path

IMAGE_ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
)
_ORIENTATION_TAG = 0x0112
_TURNED = (5, 6, 7, 8)
# Only these chunks of a PNG can hold an orientation, and they may come after the pixels.
_MAY_TURN = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")


def upright_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image file, upright.

    Raises:
        ImageRefused: no such file, or no image of a known format; one sentence that names it.
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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                plain = image.format == "PNG" and not _png_may_turn(path)
                return (image.height, image.width), 1 if plain else _orientation(image)
    except OSError as error:
        unknown = isinstance(error, Image.UnidentifiedImageError)
        why = f"not an image of a known format; expected one of {', '.join(FORMATS)}" if unknown else (
            f"the file cannot be read ({error.strerror or error})")  # fmt: skip
        raise ImageRefused(f"{path}: {why}") from error
    except Exception as error:  # a damaged header raises whatever its reader stumbles over
        raise ImageRefused(f"{path}: the image is damaged ({error}); save it again") from error


def _orientation(image: Image.Image) -> int:
    try:
        flag = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a corrupt EXIF block raises anything; such an image is read as it is stored
        return 1
    return flag if flag in range(1, 9) else 1


def _png_may_turn(path: Path) -> bool:
    """Whether a PNG has a chunk that could hold an orientation; Pillow decodes all pixels to answer that."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind in _MAY_TURN:
                return True
            file.seek(length + 4, 1)
    return False
