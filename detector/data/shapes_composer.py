"""Composing a scene of the shapes world: where things stand, what covers what, and what stays visible.

Shapes: `G` objects; boxes float32 [G, 4] xyxy in the image frame, x2 and y2 one past the last visible pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from detector.data.shapes_drawing import (
    PAINTS,
    add_noise,
    contours_of,
    draw_background,
    draw_lines,
    pick_paint,
    place,
    rasterize,
)
from detector.data.shapes_scene import SHAPE_CATEGORIES, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

DISTRACTORS = ("blob", "pill", "crescent")
MIN_SIZE, MAX_SIZE = 10.0, 140.0
MIN_VISIBLE_SHARE = 0.5
LARGEST_SHARE = 0.72  # of the image side: matters for images under 195 px
MIN_VISIBLE_PIXELS = 24
MARGIN = 6  # room in a patch for shadow and for the ring in which contrast is measured


@dataclass(frozen=True, slots=True, eq=False)
class _Stamp:
    """A rasterized shape cut to the image, at `top`, `left`; `full` counts its pixels outside, too."""

    label: int
    mask: NDArray[np.float32]
    top: int
    left: int
    full: int
    size: float
    centre: tuple[float, float]
    low_contrast: bool

    @property
    def window(self) -> tuple[slice, slice]:
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def draw_scene(seed: int, index: int, size: int = 256) -> Scene:
    """Scene `index` of the world `seed`; the same three numbers always give the same scene.

    Args:
        seed, index: non-negative.
        size: height and width in pixels, at least 64.
    """
    rng = np.random.default_rng([seed, index])
    image = draw_background(rng, size)
    draw_lines(image, rng, int(rng.integers(0, 5)))
    composer = _Composer(rng, image)
    for _ in range(int(rng.integers(0, 3))):
        composer.add_distractor()
    for _ in range(int(rng.integers(3, 9))):
        composer.add_object()
    for _ in range(int(rng.integers(0, 2))):
        composer.add_distractor()
    return composer.finish()


class _Composer:
    """Stamps shapes onto one image and keeps the book of who owns which pixel."""

    def __init__(self, rng: np.random.Generator, image: NDArray[np.uint8]) -> None:
        self.rng = rng
        self.image = image
        self.side = image.shape[0]
        self.owner = np.full(image.shape[:2], -1, np.int16)
        self.stamps: list[_Stamp] = []
        self.left_over: list[int] = []  # visible pixels of each object so far
        self.paints = list(rng.permutation(len(PAINTS)))  # those not used yet come first
        self.shadows = rng.random() < 0.35

    def add_object(self) -> None:
        """One object of a category; nine tries to find a place where nothing gets hidden."""
        rng = self.rng
        label = int(rng.integers(1, len(SHAPE_CATEGORIES)))
        low_contrast = rng.random() < 0.145
        overlapping = bool(self.stamps) and rng.random() < 0.56
        for attempt in range(9):
            size, centre = self._beside_another() if overlapping else self._anywhere()
            stamp = self._rasterize(SHAPE_CATEGORIES[label], label, size, centre, low_contrast)
            if stamp is not None and self._fits(stamp, crowded=overlapping or attempt > 6):
                self._paint(stamp, len(self.stamps))
                self.stamps.append(stamp)
                return

    def add_distractor(self) -> None:
        """A blob, pill or crescent: it has a shape and a colour, but is of no category."""
        rng = self.rng
        kind = DISTRACTORS[rng.integers(len(DISTRACTORS))]
        covering = bool(self.stamps) and rng.random() < 0.7
        for _ in range(4):
            size, centre = self._beside_another() if covering else self._anywhere()
            stamp = self._rasterize(kind, 0, min(size, 80.0), centre, rng.random() < 0.2)
            if stamp is not None and self._fits(stamp, crowded=True):
                self._paint(stamp, -1)
                return

    def _anywhere(self) -> tuple[float, tuple[float, float]]:
        rng, side = self.rng, self.side
        largest = min(MAX_SIZE, LARGEST_SHARE * side)
        if rng.random() < 0.16:
            size = MIN_SIZE + 6.6 * math.sqrt(rng.random())
        else:
            size = math.exp(rng.uniform(math.log(18.0), math.log(largest)))
        x, y = rng.uniform(size / 2 + 1, side - size / 2 - 1, 2)
        if rng.random() < 0.12:
            inset = rng.uniform(-0.05, 0.35) * size
            x = inset if rng.random() < 0.5 else side - inset
            x, y = (x, y) if rng.random() < 0.5 else (y, x)
        return size, (float(x), float(y))

    def _beside_another(self) -> tuple[float, tuple[float, float]]:
        rng = self.rng
        # Small objects that cover each other leave nothing to recognise: prefer a large neighbour.
        other = max((self.stamps[n] for n in rng.integers(len(self.stamps), size=2)), key=lambda s: s.size)
        if other.size < 22:
            return self._anywhere()
        if rng.random() < 0.45:  # right on it, smaller: its outline stays in sight
            size, reach = other.size * rng.uniform(0.5, 0.72), rng.uniform(0, 0.22) * other.size
        else:
            size = other.size * rng.uniform(0.65, 1.4)
            reach = rng.uniform(0.4, 0.7) * (size + other.size) / 2
        size = float(np.clip(size, MIN_SIZE, min(MAX_SIZE, LARGEST_SHARE * self.side)))
        turn = rng.uniform(0, 2 * math.pi)
        return size, (other.centre[0] + reach * math.cos(turn), other.centre[1] + reach * math.sin(turn))

    def _rasterize(
        self, kind: str, label: int, size: float, centre: tuple[float, float], low_contrast: bool
    ) -> _Stamp | None:
        rng = self.rng
        angle, stretch = rng.uniform(0, 2 * math.pi), rng.uniform(0.9, 1.1)
        patch = math.ceil(size) + 2 * MARGIN
        left, top = math.floor(centre[0] - patch / 2), math.floor(centre[1] - patch / 2)
        inner = (centre[0] - left, centre[1] - top)
        mask = rasterize(
            place(contours_of(kind, rng), size=size, angle=angle, stretch=stretch, centre=inner), patch
        )
        full = int(np.count_nonzero(mask >= 0.5))
        x1, y1 = max(left, 0), max(top, 0)
        x2, y2 = min(left + patch, self.side), min(top + patch, self.side)
        if x2 <= x1 or y2 <= y1:
            return None
        mask = mask[y1 - top : y2 - top, x1 - left : x2 - left]
        return _Stamp(label, mask, y1, x1, full, size, centre, low_contrast)

    def _fits(self, stamp: _Stamp, *, crowded: bool) -> bool:
        """Enough of the newcomer in the image, and enough left of everyone it would cover."""
        solid = stamp.mask >= 0.5
        inside = int(np.count_nonzero(solid))
        if inside < max(MIN_VISIBLE_PIXELS, 0.6 * stamp.full):
            return False
        taken = np.bincount(self.owner[stamp.window][solid] + 1, minlength=len(self.stamps) + 1)[1:]
        for count, left, other in zip(taken, self.left_over, self.stamps, strict=True):
            rest = left - int(count)
            share = MIN_VISIBLE_SHARE + 0.02 if other.size > 24 else 0.75
            if count and (rest < MIN_VISIBLE_PIXELS or rest < share * other.full):
                return False
        return crowded or int(taken.sum()) < 0.05 * inside

    def _paint(self, stamp: _Stamp, number: int) -> None:
        rng, mask = self.rng, stamp.mask
        solid = mask >= 0.5
        window = self.image[stamp.window].astype(np.float32) / np.float32(255)
        behind = np.array(cv2.mean(window, solid.astype(np.uint8))[:3], np.float32)
        paint = pick_paint(rng, behind, self.paints, low_contrast=stamp.low_contrast)
        if self.shadows and not stamp.low_contrast:
            moved = cv2.warpAffine(mask, np.array([(1, 0, 1.5), (0, 1, 2.5)], np.float32), mask.shape[::-1])
            window *= 1 - np.float32(0.3) * cv2.GaussianBlur(moved, (7, 7), 1.6)[..., None]
        turn, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.03 if stamp.low_contrast else 0.16)
        shade = 1 + np.float32(strength) * _ramp(mask.shape, turn)
        if not stamp.low_contrast and stamp.size > 18 and rng.random() < 0.3:
            core = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=1 if stamp.size < 50 else 2)
            shade = shade * (1 - np.float32(0.35) * (mask - core))
        window += mask[..., None] * (np.minimum(paint * shade[..., None], 1) - window)
        self.image[stamp.window] = cv2.convertScaleAbs(window, alpha=255)
        self._hand_over(stamp, solid, number)

    def _hand_over(self, stamp: _Stamp, solid: NDArray[np.bool_], number: int) -> None:
        owner = self.owner[stamp.window]
        taken = np.bincount(owner[solid] + 1, minlength=len(self.stamps) + 1)[1:]
        self.left_over = [left - int(count) for left, count in zip(self.left_over, taken, strict=True)]
        owner[solid] = number
        if number >= 0:
            self.left_over.append(int(np.count_nonzero(solid)))

    def finish(self) -> Scene:
        """Blur, noise, and the exact record of what can still be seen."""
        rng, pixels = self.rng, self.image
        if rng.random() < 0.3:
            pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.0)).astype(np.uint8, copy=False)
        if rng.random() < 0.6:
            pixels = add_noise(pixels, rng, rng.uniform(1.0, 7.0))
        rows = [self._measure(pixels, number) for number in range(len(self.stamps))]
        # A scene may end up without objects; the reshape keeps the second axis then.
        table = np.array([row for row in rows if row], np.float32).reshape(-1, 8)
        labels = np.array([s.label for s, row in zip(self.stamps, rows, strict=True) if row], np.int64)
        renumber = np.full(len(rows) + 1, -1, np.int16)
        renumber[[n for n, row in enumerate(rows) if row]] = np.arange(len(labels))
        boxes, visible, covered, contrast, sizes = np.split(table, [4, 5, 6, 7], axis=1)
        flat = (visible.ravel(), covered.ravel(), contrast.ravel(), sizes.ravel())
        return Scene(pixels, np.ascontiguousarray(boxes), labels, *flat, owner=renumber[self.owner])

    def _measure(self, pixels: NDArray[np.uint8], number: int) -> tuple[float, ...] | None:
        stamp = self.stamps[number]
        solid, seen = stamp.mask >= 0.5, self.owner[stamp.window] == number
        count = int(np.count_nonzero(seen))
        if count < MIN_VISIBLE_PIXELS or count < MIN_VISIBLE_SHARE * stamp.full:
            return None
        ys, xs = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        ring = cv2.dilate(solid.astype(np.uint8), np.ones((9, 9), np.uint8)) - solid
        window = pixels[stamp.window]
        inside = np.array(cv2.mean(window, seen.astype(np.uint8))[:3])
        around = np.array(cv2.mean(window, ring)[:3])
        return (
            float(stamp.left + xs[0]), float(stamp.top + ys[0]),
            float(stamp.left + xs[-1] + 1), float(stamp.top + ys[-1] + 1),
            count / stamp.full, 1 - count / int(np.count_nonzero(solid)),
            float(np.abs(inside - around).max() / 255), stamp.size,
        )  # fmt: skip


def _ramp(shape: tuple[int, ...], turn: float) -> NDArray[np.float32]:
    """A plane over [h, w] that rises from about -1 to 1 in the direction `turn` (radians)."""
    rows = (np.arange(shape[0], dtype=np.float32) * np.float32(2 / shape[0]) - 1)[:, None]
    columns = (np.arange(shape[1], dtype=np.float32) * np.float32(2 / shape[1]) - 1)[None]
    return (math.sin(turn) * rows + math.cos(turn) * columns).astype(np.float32, copy=False)
