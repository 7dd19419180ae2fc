"""D10: the objects, or the errors, of one part of a data set, each cut out of its image.

Boxes are float xyxy in the **image** frame; a window is whole pixels of it, (x1, y1, x2, y2).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from viz_app.figures.lettering import Lettering
from viz_app.figures.palette import DETECTION, FALSE_POSITIVE, LIGHT_HALO, LOST
from viz_app.figures.picture import BoxGroup
from viz_app.figures.raster import draw_picture

if TYPE_CHECKING:
    from torch import Tensor

CSS = Path(__file__).with_name("gallery.css").read_text(encoding="utf-8")

_AROUND, _LEAST = 2.6, 72
_SIDE = 240
_GAP, _MARGIN, _LETTERS = 12, 16, 13


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One object or error.

    Args:
        title: such as `#3 ring`.
        note: what became of it, about five words.
        place: the image it is on.
        picture: uint8 RGB, longer side 240, from `crop_picture` or `boxed_window`.
        spoken: what a screen reader says of it; all of the above, and that it opens a Why?, when left out.
    """

    title: str
    note: str
    place: str
    picture: np.ndarray
    spoken: str = ""


def crop_window(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square around a box that shows where it is, as far as the image goes.

    Args:
        box: xyxy.
        size: (H, W) of the image.
    """
    x1, y1, x2, y2 = box
    side = min(max(_AROUND * max(x2 - x1, y2 - y1), _LEAST), max(size))
    left = _start((x1 + x2) / 2, side, size[1])
    top = _start((y1 + y2) / 2, side, size[0])
    return left, top, min(left + round(side), size[1]), min(top + round(side), size[0])


def crop_picture(pixels: Tensor, window: tuple[int, int, int, int], groups: Sequence[BoxGroup]) -> np.ndarray:
    """A window of an image with boxes on it, uint8 RGB [240, 240, 3]; a narrow window stands on grey.

    Args:
        pixels: uint8 [3, H, W].
        window: from `crop_window`.
        groups: boxes in the image frame.
    """
    return _squared(boxed_window(pixels, window, groups))


def boxed_window(pixels: Tensor, window: tuple[int, int, int, int], groups: Sequence[BoxGroup]) -> np.ndarray:
    """A window of an image with boxes on it, uint8 RGB [h, w, 3] with 240 px on the longer side.

    Args:
        pixels, window, groups: as for `crop_picture`.
    """
    x1, y1, x2, y2 = window
    cut = pixels[:, y1:y2, x1:x2]
    # Enlarged first and drawn on afterwards: lines stay thin.
    scale = _SIDE / max(cut.shape[1:])
    size = max(1, round(cut.shape[2] * scale)), max(1, round(cut.shape[1] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    enlarged = cv2.resize(np.ascontiguousarray(cut.permute(1, 2, 0).numpy()), size, interpolation=how)
    shift = torch.tensor([x1, y1, x1, y1], dtype=torch.float32)
    moved = [_moved(group, shift, scale) for group in groups]
    return draw_picture(torch.from_numpy(enlarged).permute(2, 0, 1), moved, sides=(1, _SIDE))


def _squared(drawn: np.ndarray, ground: int = 128) -> np.ndarray:
    """In the middle of a square of 240 px, on grey."""
    card = np.full((_SIDE, _SIDE, 3), ground, dtype=np.uint8)
    top, left = (_SIDE - drawn.shape[0]) // 2, (_SIDE - drawn.shape[1]) // 2
    card[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return card


def card_groups(
    target: Sequence[float] | None, detection: Sequence[float] | None, *, right: bool
) -> list[BoxGroup]:
    """The object dashed red, and a detection: blue where it is right, orange where it is not.

    Args:
        target: box of the object, xyxy; None where there is none.
        detection: box of the detection; None where there is none.
        right: whether the detection found the object.
    """
    groups = []
    if detection is not None:
        color = DETECTION if right else FALSE_POSITIVE
        groups.append(BoxGroup(_boxes(detection), "detection", color, width=3))
    if target is not None:
        groups.append(BoxGroup(_boxes(target), "object", LOST, dash="dash", width=3, halo=LIGHT_HALO))
    return groups


def gallery_sheet(cards: Sequence[Card], columns: int = 6) -> np.ndarray:
    """All cards on one sheet, uint8 RGB [h, w, 3], to be saved or printed.

    Args:
        cards: at least one.
        columns: cards beside each other.
    """
    lettering, bold = Lettering(_LETTERS), Lettering(_LETTERS, bold=True)
    width, height = _SIDE + _GAP, _SIDE + 2 * lettering.line + _GAP
    across, down = min(columns, len(cards)), -(-len(cards) // columns)
    sheet = np.full((2 * _MARGIN + down * height, 2 * _MARGIN + across * width, 3), 255, dtype=np.uint8)
    for number, card in enumerate(cards):
        x, y = _MARGIN + number % columns * width, _MARGIN + number // columns * height
        sheet[y : y + _SIDE, x : x + _SIDE] = _squared(card.picture, ground=244)
        bold.write(sheet, f"{card.title} · {card.place}", (x, y + _SIDE + 4))
        lettering.write(sheet, card.note, (x, y + _SIDE + 4 + lettering.line))
    return sheet


def gallery_html(cards: Sequence[Card]) -> str:
    """The cards as buttons in a grid; `data-card` of a button is the place of its card."""
    return f'<div class="gallery">{"".join(_button(*item) for item in enumerate(cards))}</div>'


def _button(number: int, card: Card) -> str:
    title, note, place = escape(card.title), escape(card.note), escape(card.place)
    spoken = escape(card.spoken) or f"{title}, {note}, on {place}: open its Why?"
    return (
        f'<button type="button" data-card="{number}" aria-label="{spoken}">'
        f'<img src="{picture_uri(card.picture)}" alt="">'
        f'<span class="title"><em>{title}</em><i>{place}</i></span>'
        f'<span class="note" title="{note}">{note}</span></button>'
    )


def picture_uri(picture: np.ndarray) -> str:
    """A picture, uint8 RGB [h, w, 3], as JPEG that can stand in a page."""
    # Without colour subsampling: the coloured lines of small pictures would smear.
    subsampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    settings = [cv2.IMWRITE_JPEG_QUALITY, 88, *subsampling]
    encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def _moved(group: BoxGroup, shift: Tensor, scale: float) -> BoxGroup:
    return replace(group, boxes=(group.boxes - shift) * scale, hover=(), labels=(), items=())


def _boxes(box: Sequence[float]) -> Tensor:
    return torch.tensor([list(box)], dtype=torch.float32)


def _start(centre: float, side: float, end: int) -> int:
    """Where a window begins that has its middle at `centre` and stays within 0..end."""
    return round(max(0.0, min(centre - side / 2, end - side)))
