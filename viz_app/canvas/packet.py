"""All that a canvas draws as one run of bytes: only top-level bytes reach the browser as bytes.

Layout: uint32 length of the header, the header as JSON (padded with spaces to a multiple of 4), then the parts
it lists, each at a multiple of 4, little-endian. Boxes are float32 xyxy in the **image** frame.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from detector.tracing.trace import Size
from viz_app.canvas.candidates import Preview
from viz_app.canvas.encoded import image_file, raster_file
from viz_app.figures.palette import rgba
from viz_app.figures.picture import BoxGroup, png_bytes

MOST_DRAWN = 10_000
_MOST_LABELS = 200
_MOST_WORDS = 12


def pack(
    pixels: Tensor,
    groups: Sequence[BoxGroup],
    *,
    overlay: Tensor | None = None,
    selected: tuple[int, int] | None = None,
    preview: Preview | None = None,
    draw: bool = False,
    linked: str | None = None,
) -> bytes:
    """The packet of one picture; equal pictures give equal bytes.

    Args:
        pixels: uint8 [3, H, W].
        groups: drawn in this order. Above 10,000 boxes in all, the largest groups go as one picture.
        overlay: uint8 [h, w, 4] RGBA, stretched over the image, beneath the boxes.
        selected: (group, place in the group) of the box to point out.
        preview: candidates whose thresholds can be moved on the canvas.
        draw: dragging draws a box.
        linked: pictures of this name are moved and zoomed together.
    """
    painted = _too_many(groups)
    sent = [group for number, group in enumerate(groups) if number not in painted]
    parts: dict[str, bytes] = {"image": image_file(pixels)}
    if overlay is not None:
        parts["overlay"] = png_bytes(overlay)
    if painted:
        parts["raster"] = raster_file([groups[number] for number in painted], _size(pixels))
    parts["boxes"] = b"".join(_floats(group.boxes) for group in sent)
    if preview is not None:
        parts |= {"shown": _floats(preview.shown), "candidates": _floats(preview.boxes)}
        parts |= {"scores": _floats(preview.scores), "labels": _floats(preview.labels)}
    header = {
        "size": _size(pixels),
        "picture": hashlib.sha256(parts["image"]).hexdigest()[:16],
        "groups": [_style(group, number in painted) for number, group in enumerate(groups)],
        "drawn": hashlib.sha256(parts["boxes"]).hexdigest()[:16],
        "selected": selected,
        "pointed": None if selected is None else _corners(groups[selected[0]].boxes[selected[1]]),
        "draw": draw,
        "linked": linked,
        "preview": None if preview is None else _knobs(preview),
        "words": in_words(groups),
        "parts": {name: len(data) for name, data in parts.items()},
    }
    head = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    head += b" " * (-len(head) % 4)
    return (
        struct.pack("<I", len(head))
        + head
        + b"".join(data + b"\0" * (-len(data) % 4) for data in parts.values())
    )


def in_words(groups: Sequence[BoxGroup]) -> str:
    """What is drawn, for people who do not see it."""
    said = []
    for group in groups:
        if not len(group):
            continue
        names = [text.split("\n")[0] for text in _lines(group.labels or group.hover)[:_MOST_WORDS]]
        more = f", and {len(group) - len(names):,} more" if names and len(group) > len(names) else ""
        noun = "box" if len(group) == 1 else "boxes"
        said.append(f"{group.name}, {len(group):,} {noun}" + (f": {'; '.join(names)}{more}" if names else ""))
    return ". ".join(said) + "." if said else "The image without boxes."


def _size(pixels: Tensor) -> Size:
    return int(pixels.shape[1]), int(pixels.shape[2])


def _too_many(groups: Sequence[BoxGroup]) -> list[int]:
    """Numbers of the groups that are too large to be sent box by box, in drawing order."""
    left = sum(map(len, groups))
    painted = []
    for number in sorted(range(len(groups)), key=lambda one: -len(groups[one])):
        if left > MOST_DRAWN:
            painted.append(number)
            left -= len(groups[number])
    return sorted(painted)


def _style(group: BoxGroup, painted: bool) -> dict[str, Any]:
    return {
        "name": group.name,
        "count": 0 if painted else len(group),
        "color": group.color,
        "dash": group.dash,
        "width": group.width,
        "halo": None if group.halo is None else _rgba(group.halo),
        "opacity": group.opacity,
        "hover": [] if painted else _lines(group.hover),
        "labels": [] if painted else _lines(group.labels[:_MOST_LABELS]),
        "picks": bool(group.hover or group.items) and not painted,
    }


def _rgba(color: str) -> dict[str, Any]:
    (red, green, blue), alpha = rgba(color)
    return {"color": f"#{red:02x}{green:02x}{blue:02x}", "alpha": alpha}


def _lines(texts: Sequence[str]) -> list[str]:
    return [text.replace("<br>", "\n") for text in texts]


def _knobs(preview: Preview) -> dict[str, Any]:
    return {
        "count": len(preview),
        "categories": list(preview.categories),
        "floor": preview.floor,
        "score": preview.score,
        "nms": preview.nms,
        "limit": preview.limit,
        "replaces": list(preview.replaces),
        "color": preview.color,
        "sliders": dict(preview.sliders),
    }


def _corners(box: Tensor) -> list[float] | None:
    # JSON has no word for what is not finite.
    return box.tolist() if bool(box.isfinite().all()) else None


def _floats(values: Tensor) -> bytes:
    return np.ascontiguousarray(values.detach().cpu().numpy(), dtype="<f4").tobytes()
