"""The boxes of a verdict as pictures: on the whole image, and as small tiles of the place where it happened.

Boxes are float xyxy in the **image** frame.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from detector.explaining.evidence_words import object_name
from detector.explaining.rungs import Rung
from viz_app.figures.concerned import Concerned, Role, concerned_boxes
from viz_app.figures.full_network import detection_items
from viz_app.figures.palette import (
    ACCENT,
    DARK_HALO,
    FALSE_POSITIVE,
    FOUND,
    GREY,
    GROUND_TRUTH,
    LIGHT_HALO,
    LOST,
    ORANGE,
)
from viz_app.figures.picture import BoxGroup, jpeg_bytes
from viz_app.figures.raster import draw_picture
from viz_app.figures.words import size_words
from viz_app.links import Selected

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replay

TILE = 168
_LEAST_CROP, _MARGIN = 32.0, 0.35
_COLORS = {
    Role.OBJECT: LOST,
    Role.BEFORE: ORANGE,
    Role.CANDIDATE: ORANGE,
    Role.INSTEAD: ACCENT,
    Role.FALSE: FALSE_POSITIVE,
    Role.EXPLAINS: LOST,
    Role.TRUE: ACCENT,
}
_DASHED = (Role.OBJECT, Role.EXPLAINS)
_ORDER = (Role.BEFORE, Role.TRUE, Role.INSTEAD, Role.CANDIDATE, Role.FALSE, Role.OBJECT, Role.EXPLAINS)


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A small picture of one box beside the object.

    Args:
        caption: what the box is, with its number.
        color: of the box, as `#RRGGBB`.
        image: uint8 RGB [h, w, 3].
    """

    caption: str
    color: str
    image: np.ndarray

    @property
    def uri(self) -> str:
        """The picture as a data URI, for HTML that needs no network."""
        pixels = torch.from_numpy(self.image).permute(2, 0, 1)
        return f"data:image/jpeg;base64,{base64.b64encode(jpeg_bytes(pixels)).decode()}"


def why_groups(
    replay: Replay,
    diagnosis: Diagnosis | None,
    boxes: Sequence[Concerned],
    *,
    found: bool = False,
    about: Selected | None = None,
) -> list[BoxGroup]:
    """What the page's picture shows: everything on the image thin, what is asked about on top.

    Args:
        replay: the detections.
        diagnosis: all verdicts of the image; None where no object is annotated.
        boxes: of `concerned_boxes` or `false_positive_boxes`.
        found: the object was found: green, and not red.
        about: what is asked about, which is not drawn a second time.
    """
    groups = context_groups(replay, diagnosis, about)
    for role in _ORDER:
        members = [one for one in boxes if one.role is role]
        if members:
            groups.append(_role_group(role, members, found=found))
    return groups


def evidence_tiles(diagnosis: Diagnosis, verdict: Verdict) -> tuple[Tile, ...]:
    """The object by itself, then each box that its verdict is about beside it, all of the same place."""
    boxes = concerned_boxes(diagnosis, verdict)
    return tiles_of(diagnosis.replay.trace.input.pixels, boxes, found=verdict.rung is Rung.FOUND)


def tiles_of(pixels: Tensor, boxes: Sequence[Concerned], *, found: bool = False) -> tuple[Tile, ...]:
    """A tile for each box; the first box is seen on all others, too.

    Args:
        pixels: uint8 [3, H, W].
        boxes: the one that it is about first.
        found: the object was found: green, and not red.
    """
    crop, place = crop_around(pixels, [one.box for one in boxes])
    own = _tile_group(boxes[0], place, found=found)
    tiles = []
    for number, one in enumerate(boxes):
        group = _tile_group(one, place, found=found)
        shown = [group, own] if number else [own]
        tiles.append(Tile(one.words, group.color, draw_picture(crop, shown, sides=(TILE, TILE * 2))))
    return tuple(tiles)


def crop_around(pixels: Tensor, boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """A square piece of the image that holds all boxes with a margin, as far as the image reaches.

    Args:
        pixels: uint8 [3, H, W].
        boxes: float [4] each.

    Returns:
        The piece, uint8 [3, h, w], and its upper left corner twice, float [4]: what to subtract from a box.
    """
    height, width = pixels.shape[1:]
    limits = torch.tensor([width, height, width, height], dtype=torch.float32)
    corners = torch.stack([box.detach().cpu().float() for box in boxes]).clamp(min=0).minimum(limits)
    low, high = corners[:, :2].amin(dim=0), corners[:, 2:].amax(dim=0)
    half = max(float((high - low).max()) * (1 + 2 * _MARGIN), _LEAST_CROP) / 2
    middle = (low + high) / 2
    x1, y1 = (int(value) for value in (middle - half).floor().clamp(min=0).tolist())
    x2, y2 = (int(value) for value in (middle + half).ceil().minimum(limits[:2]).tolist())
    return pixels[:, y1:y2, x1:x2], torch.tensor([x1, y1, x1, y1], dtype=torch.float32)


def context_groups(
    replay: Replay, diagnosis: Diagnosis | None, about: Selected | None = None
) -> list[BoxGroup]:
    """Everything that can be asked about, thin: objects, detections, false positives; all but `about`."""
    false = () if diagnosis is None else diagnosis.false_detections
    true = [place for place in range(len(replay.labels)) if place not in false]
    groups = [] if diagnosis is None else [_objects(diagnosis, about)]
    groups += [
        _detections(replay, true, "detections", GREY, about),
        _detections(replay, false, "false positives", FALSE_POSITIVE, about),
    ]
    return [group for group in groups if len(group)]


def _objects(diagnosis: Diagnosis, about: Selected | None) -> BoxGroup:
    items = [Selected("object", verdict.object) for verdict in diagnosis.verdicts]
    items = [item for item in items if item != about]
    boxes = diagnosis.truth.boxes[[item.index for item in items]].reshape(-1, 4)
    hover = tuple(
        f"{object_name(diagnosis, item.index)}<br>{size_words(box)} px, image frame"
        for item, box in zip(items, boxes, strict=True)
    )
    return BoxGroup(
        boxes, "other objects", GROUND_TRUTH, dash="dash", width=1.25, halo=DARK_HALO,
        hover=hover, items=tuple(items),
    )  # fmt: skip


def _detections(
    replay: Replay, members: Sequence[int], name: str, color: str, about: Selected | None
) -> BoxGroup:
    items = detection_items(replay)
    shown = [place for place in members if items[place] is None or items[place] != about]
    words = [f"{replay.trace.categories[int(replay.labels[n])]} {float(replay.scores[n]):.2f}" for n in shown]
    return BoxGroup(
        replay.boxes[shown].reshape(-1, 4), name, color, width=1.25, halo=LIGHT_HALO, opacity=0.85,
        hover=tuple(words), items=tuple(items[place] for place in shown),
    )  # fmt: skip


def _role_group(role: Role, members: Sequence[Concerned], *, found: bool) -> BoxGroup:
    own = role in _DASHED
    words = tuple(one.words for one in members)
    # Without items: what is selected would be drawn in one colour and solid, and here the style tells the role.
    return BoxGroup(
        torch.stack([one.box.cpu() for one in members]), str(role), _color(role, found=found),
        dash="dash" if own else "dot" if role is Role.BEFORE else "solid", width=2.5,
        halo=LIGHT_HALO if own else DARK_HALO, labels=words, hover=words, counted=False,
    )  # fmt: skip


def _tile_group(one: Concerned, place: Tensor, *, found: bool) -> BoxGroup:
    dash = "dash" if one.role in _DASHED else "dot" if one.role is Role.BEFORE else "solid"
    box = (one.box.cpu() - place)[None]
    return BoxGroup(box, one.words, _color(one.role, found=found), dash=dash, width=3, halo=LIGHT_HALO)


def _color(role: Role, *, found: bool) -> str:
    return FOUND if found and role in _DASHED else _COLORS[role]
