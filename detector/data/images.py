"""Reading one image, whatever it comes as, into the two forms that are needed: to look at and to run on.

Shapes: `H` rows, `W` columns. Pixels are RGB in the image frame after EXIF orientation.
"""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from detector.data.png_rows import holds_all_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

# Decoders that are common, maintained and run no outside program (EPS would start Ghostscript).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 50_000_000
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


@dataclass(frozen=True, slots=True, eq=False)
class InputImage:
    """One image, as it is shown and as the model gets it.

    Args:
        pixels: uint8 [3, H, W], RGB, on the CPU; a copy, never shared with the source.
        tensor: float32 [3, H, W] in [0, 1]; the caller's own tensor where one was given.
        name: what people call it: the file name, or `image`.
        sha256: hex digest of the decoded image (data type, shape and bytes, before scaling). Two files that
            decode to the same pixels share it; it is the key of every cache.
    """

    pixels: Tensor
    tensor: Tensor
    name: str
    sha256: str

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]


class ImageRefused(ValueError):
    """An image that cannot be used; the message is one sentence for people."""


ImageSource = str | Path | bytes | Image.Image | np.ndarray | Tensor


def read_image(source: ImageSource, *, name: str | None = None) -> InputImage:
    """Read an image from a file, from memory, or from a tensor.

    Files may be PNG, JPEG, WebP, GIF, BMP, TIFF or PPM. EXIF orientation is applied, transparency is laid
    over white, 16-bit grey is scaled to 8 bits, and an animation gives its first frame.

    Args:
        source: a path; the bytes of a file; a PIL image (its current frame); a uint8 array [H, W],
            [H, W, 1], [H, W, 3] or [H, W, 4] (RGB or RGBA); a tensor [3, H, W], either uint8 or float32 in
            [0, 1]. A float tensor goes to the model untouched.
        name: what to call it; the file name when left out.

    Raises:
        ImageRefused: a ValueError: no such file, not an image of a known format, damaged, empty, more than
            50 megapixels (known from the header, before anything is decoded), or values, channels or a data
            type that do not fit.
        TypeError: a source of another kind.
    """
    if isinstance(source, str | Path):
        label = name or Path(source).name
        return _from_pixels(_read_path(Path(source)), label)
    label = name or "image"
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_pixels(_decode(io.BytesIO(source), label), label)
    if isinstance(source, Image.Image):
        with one_sentence(label):
            return _from_pixels(_to_rgb(source, label), label)
    if isinstance(source, np.ndarray):
        return _from_pixels(_from_array(source, label), label)
    if isinstance(source, Tensor):
        return _from_tensor(source, label)
    raise TypeError(
        f"an image was given as {type(source).__name__}; expected a path, bytes, a PIL image, "
        "a uint8 array [H, W, 3] or a tensor [3, H, W]"
    )


def _from_pixels(pixels: np.ndarray, name: str) -> InputImage:
    """From uint8 [H, W, 3]."""
    chw = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    return InputImage(chw, chw.to(torch.float32) / 255, name, _digest(chw))


def _from_tensor(tensor: Tensor, name: str) -> InputImage:
    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise ImageRefused(
            f"{name}: the tensor has shape {list(tensor.shape)}; expected [3, H, W] in RGB order"
        )
    check_size(tensor.shape[2], tensor.shape[1], name)
    values = tensor.detach().cpu().as_subclass(Tensor)
    if tensor.dtype == torch.uint8:
        return InputImage(values.clone(), values.to(torch.float32) / 255, name, _digest(values))
    if tensor.dtype != torch.float32:
        raise ImageRefused(f"{name}: the tensor is {tensor.dtype}; expected float32 in [0, 1], or uint8")
    if not torch.isfinite(values).all():
        raise ImageRefused(f"{name}: the tensor holds NaN or infinite values; expected numbers from 0 to 1")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise ImageRefused(
            f"{name}: the tensor's values go from {low:g} to {high:g}; expected 0 to 1 "
            "(divide by 255, and leave mean and std to the model)"
        )
    return InputImage((values * 255).round().to(torch.uint8), tensor, name, _digest(values))


def _digest(values: Tensor) -> str:
    array = values.contiguous().numpy()
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    digest.update(array.data)
    return digest.hexdigest()


def _from_array(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype != np.uint8:
        raise ImageRefused(
            f"{name}: the array is {array.dtype}; expected uint8 (give floats as a float32 tensor [3, H, W])"
        )
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageRefused(
            f"{name}: the array has shape {list(array.shape)}; expected [H, W, 3] in RGB order"
        )
    check_size(array.shape[1], array.shape[0], name)
    if array.shape[2] == 4:
        with one_sentence(name):
            return _to_rgb(Image.fromarray(np.ascontiguousarray(array)), name)
    return np.repeat(array, 3 // array.shape[2], axis=2)


def _read_path(path: Path) -> np.ndarray:
    try:
        if not path.exists():
            raise ImageRefused(f"{path}: there is no such file")
        if not path.is_file():
            raise ImageRefused(f"{path}: not a file; give the path of one image")
        with path.open("rb") as file:
            return _decode(file, str(path))
    except OSError as error:
        raise ImageRefused(f"{path}: the file cannot be read ({error.strerror or error})") from error


def _decode(file: IO[bytes], name: str) -> np.ndarray:
    """uint8 [H, W, 3] of an encoded image."""
    if not file.read(1):
        raise ImageRefused(f"{name}: the file is empty; expected an image")
    file.seek(0)
    with one_sentence(name), open_image(file) as image:
        check_size(image.width, image.height, name)
        if image.format == "PNG" and not holds_all_rows(file):
            raise ImageRefused(
                f"{name}: the image is damaged (its data ends before its last row); save it again"
            )
        return _to_rgb(image, name)


def open_image(file: IO[bytes]) -> Image.Image:
    """The image with its header read; Pillow's warning at 89 megapixels is left out, our limit is lower."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
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


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    """uint8 [H, W, 3] of a PIL image; its header is checked before its pixels are decoded."""
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


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
        transpose = _ORIENTATIONS.get(orientation)
    except Exception:  # a corrupt EXIF block raises anything, and costs no more than the orientation
        transpose = None
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
