"""Decoding an image with Pillow: which formats, how large, upright, as RGB, and each refusal as one sentence.

Shapes: `H` rows, `W` columns. Pixels are RGB in the image frame after EXIF orientation.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image

from detector.data.plain_file import open_plain
from detector.data.png_rows import holds_all_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

# Decoders that are common, maintained and run no outside program (EPS would start Ghostscript).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 50_000_000
MAX_BYTES = 500_000_000
"""Of a file. As many pixels as are allowed, in colour with 16 bits and uncompressed, have 400 MB."""
MAX_UINT16 = 65535

_ORIENTATION_TAG = 0x0112
# Python keeps one list of warning filters per process: two threads at once would undo each other's.
_WARNINGS = threading.Lock()
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageRefused(ValueError):
    """An image that cannot be used; the message is one sentence for people."""


def open_image_file(path: Path) -> BinaryIO:
    """The file of an image, opened once; raises ImageRefused where there is none, or where it is too large."""
    try:
        return open_plain(path, at_most=MAX_BYTES, remedy="save it compressed, or make it smaller")
    except ValueError as error:
        raise ImageRefused(f"{path}: {error}") from error


def decoded(file: IO[bytes], name: str) -> np.ndarray:
    """uint8 [H, W, 3] of an encoded image; `name` is what sentences call it.

    Raises:
        ImageRefused: no image of a known format, damaged, empty, or too large.
    """
    if not file.read(1):
        raise ImageRefused(f"{name}: the file is empty; expected an image")
    file.seek(0)
    with one_sentence(name), open_image(file) as image:
        check_size(image.width, image.height, name)
        if image.format == "PNG" and not holds_all_rows(file):
            raise ImageRefused(
                f"{name}: the image is damaged (its data ends before its last row); save it again"
            )
        return rgb_of(image, name)


def open_image(file: IO[bytes]) -> Image.Image:
    """The image with its header read; no warnings, of 89 megapixels (our limit is lower) or of odd metadata."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(file, formats=FORMATS)


@contextmanager
def one_sentence(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises into one sentence that names the image."""
    try:
        yield
    except ImageRefused:
        raise
    except Image.UnidentifiedImageError as error:
        raise ImageRefused(
            f"{name}: not an image of a known format; expected one of {', '.join(FORMATS)}"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefused(f"{name}: over {MAX_PIXELS // 10**6} megapixels; make it smaller") from error
    except Exception as error:  # a damaged file raises whatever its decoder stumbles over
        raise ImageRefused(f"{name}: the image is damaged ({error}); save it again") from error


def check_size(width: int, height: int, name: str) -> None:
    """Refuse an image without pixels, or with more than `MAX_PIXELS`."""
    if width == 0 or height == 0:
        raise ImageRefused(f"{name}: the image has no pixels ({width} x {height})")
    if width * height > MAX_PIXELS:
        raise ImageRefused(
            f"{name}: {width} x {height} is over {MAX_PIXELS // 10**6} megapixels; make it smaller or cut it"
        )


def rgb_of(image: Image.Image, name: str) -> np.ndarray:
    """uint8 [H, W, 3] of a PIL image; its header is checked before its pixels are decoded.

    Raises:
        ImageRefused: as `decoded`; whatever else Pillow raises is for `one_sentence`.
    """
    check_size(image.width, image.height, name)
    image.load()
    upright = _upright(image)
    if upright.mode.startswith("I"):
        return _from_deep_grey(upright, name)
    if upright.mode == "F":
        raise ImageRefused(f"{name}: the image has floating-point pixels; save it with 8 or 16 bits")
    try:
        if upright.has_transparency_data:
            rgba = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        return np.array(upright.convert("RGB"))
    except ValueError as error:
        raise ImageRefused(
            f"{name}: colour mode {image.mode} cannot be shown as RGB; save it as RGB"
        ) from error


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation from 1 to 8; 1 where there is none, or none that can be."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a corrupt block costs no more than the orientation
        try:
            flag = image.getexif().get(_ORIENTATION_TAG, 1)
        except Exception:  # a corrupt block raises anything
            return 1
    return flag if flag in range(1, 9) else 1


def _upright(image: Image.Image) -> Image.Image:
    transpose = _ORIENTATIONS.get(orientation_of(image))
    return image if transpose is None else image.transpose(transpose)


def _from_deep_grey(image: Image.Image, name: str) -> np.ndarray:
    """16-bit grey [H, W] scaled to uint8 [H, W, 3]; Pillow's own conversion would clip at 255."""
    values = np.asarray(image).astype(np.int32)
    if values.min() < 0 or values.max() > MAX_UINT16:
        raise ImageRefused(
            f"{name}: 32-bit pixels from {values.min()} to {values.max()}; save it with 8 or 16 bits"
        )
    grey = ((values + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return np.repeat(grey[:, :, None], 3, axis=2)
