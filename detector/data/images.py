"""Reading one image, whatever it comes as, into the two forms that are needed: to look at and to run on.

Shapes: `H` rows, `W` columns. Pixels are RGB in the image frame after EXIF orientation.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from detector.data.image_decoding import (
    ImageRefused,
    check_size,
    decoded,
    one_sentence,
    open_image_file,
    rgb_of,
)


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
            50 megapixels (known from the header, before anything is decoded) or 500 MB, or values, channels or
            a data type that do not fit.
        TypeError: a source of another kind.
    """
    if isinstance(source, str | Path):
        label = name or Path(source).name
        return _from_pixels(_read_path(Path(source)), label)
    label = name or "image"
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_pixels(decoded(io.BytesIO(source), label), label)
    if isinstance(source, Image.Image):
        with one_sentence(label):
            return _from_pixels(rgb_of(source, label), label)
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
            return rgb_of(Image.fromarray(np.ascontiguousarray(array)), name)
    return np.repeat(array, 3 // array.shape[2], axis=2)


def _read_path(path: Path) -> np.ndarray:
    with open_image_file(path) as file:
        return decoded(file, str(path))
