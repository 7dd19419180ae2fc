"""Pictures as files, remembered: an image is shown again at every run of the script."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from torch import Tensor

from detector.tracing.trace import Size
from viz_app.canvas.raster import raster
from viz_app.figures.picture import BoxGroup, jpeg_bytes, png_bytes

_EFFORT = 6  # of zlib: a tenth of the size for regular lines, in twice the time
_MOST_RASTERS = 8
_images: dict[int, tuple[int, bytes]] = {}
_rasters: OrderedDict[bytes, bytes] = OrderedDict()
_lock = Lock()


def image_file(pixels: Tensor) -> bytes:
    """`jpeg_bytes` of a tensor uint8 [3, H, W], forgotten together with the tensor."""
    # A tensor that was written in place has another version; one of `inference_mode` has none.
    version = 0 if pixels.is_inference() else pixels._version
    known = _images.get(id(pixels))
    if known is not None and known[0] == version:
        return known[1]
    if known is None:
        weakref.finalize(pixels, _images.pop, id(pixels), None)
    data = jpeg_bytes(pixels)
    _images[id(pixels)] = version, data
    return data


def raster_file(groups: Sequence[BoxGroup], size: Size) -> bytes:
    """`raster` as a PNG file; the last eight are remembered by their content."""
    digest = hashlib.sha256(
        repr((size, [(group.color, group.opacity, len(group)) for group in groups])).encode()
    )
    for group in groups:
        digest.update(group.boxes.detach().cpu().numpy().tobytes())
    key = digest.digest()
    with _lock:
        if key not in _rasters:
            _rasters[key] = png_bytes(raster(groups, size), _EFFORT)
        _rasters.move_to_end(key)
        while len(_rasters) > _MOST_RASTERS:
            _rasters.popitem(last=False)
        return _rasters[key]


def forget() -> None:
    """Remember nothing, for those who measure how long it takes."""
    _images.clear()
    with _lock:
        _rasters.clear()
