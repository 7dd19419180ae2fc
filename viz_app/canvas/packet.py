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

import cv2
import numpy as np
from torch import Tensor

from viz_app.canvas.candidates import Preview
from viz_app.figures.picture import BoxGroup, display_size, jpeg_bytes, png_bytes

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
) -> bytes:
    """The packet of one picture; equal pictures give equal bytes.

    Args:
        pixels: uint8 [3, H, W].
        groups: drawn in this order. Above 10,000 boxes in all, the largest groups go as one picture.
        overlay: uint8 [h, w, 4] RGBA, stretched over the image, beneath the boxes.
        selected: (group, place in the group) of the box to point out.
        preview: candidates whose thresholds can be moved on the canvas.
        draw: dragging draws a box from the start.
    """
    painted = _too_many(groups)
    sent = [group for number, group in enumerate(groups) if number not in painted]
    parts: dict[str, bytes] = {"image": jpeg_bytes(pixels)}
    if overlay is not None:
        parts["overlay"] = png_bytes(overlay)
    if painted:
        size = (int(pixels.shape[1]), int(pixels.shape[2]))
        parts["raster"] = png_bytes(raster([groups[number] for number in painted], size))
    parts["boxes"] = b"".join(_floats(group.boxes) for group in sent)
    if preview is not None:
        parts |= {"shown": _floats(preview.shown), "candidates": _floats(preview.boxes)}
        parts |= {"scores": _floats(preview.scores), "labels": _floats(preview.labels)}
    header = {
        "size": [int(pixels.shape[1]), int(pixels.shape[2])],
        "picture": hashlib.sha256(parts["image"]).hexdigest()[:16],
        "groups": [_style(group, number in painted) for number, group in enumerate(groups)],
        "selected": selected,
        "draw": draw,
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


def raster(groups: Sequence[BoxGroup], size: tuple[int, int]) -> Tensor:
    """The outlines of very many boxes as one picture, uint8 [h, w, 4] RGBA, at the size images are sent in.

    Args:
        groups: what is drawn, in this order.
        size: height and width of the image the boxes lie in.
    """
    import torch

    height, width = (max(1, 2 * side) if max(size) <= 800 else side for side in display_size(size))
    scale = np.array([width / size[1], height / size[0]] * 2)
    canvas = np.zeros((height, width, 4), np.uint8)
    for group in groups:
        red, green, blue = (int(group.color[start : start + 2], 16) for start in (1, 3, 5))
        corners = np.rint(group.boxes.detach().cpu().double().numpy() * scale).astype(int)
        for x1, y1, x2, y2 in corners.tolist():
            cv2.rectangle(canvas, (x1, y1), (x2, y2), (red, green, blue, int(255 * group.opacity)), 1)
    return torch.from_numpy(canvas)


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
    few = len(group) <= MOST_DRAWN and not painted
    return {
        "name": group.name,
        "count": 0 if painted else len(group),
        "color": group.color,
        "dash": group.dash,
        "width": group.width,
        "halo": group.halo,
        "opacity": group.opacity,
        "hover": _lines(group.hover) if few else [],
        "labels": _lines(group.labels[:_MOST_LABELS]) if few else [],
        "picks": bool(group.hover or group.items) and not painted,
    }


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
    }


def _floats(values: Tensor) -> bytes:
    return np.ascontiguousarray(values.detach().cpu().numpy(), dtype="<f4").tobytes()
