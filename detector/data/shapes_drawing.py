"""Drawing for the shapes world: contours, anti-aliased masks, backgrounds and distractor lines.

Every function is a pure function of its arguments and of the random generator that it is handed.
Images are uint8 [H, W, 3] RGB; colours are float32 [3] in [0, 1]; masks are float32 [h, w], the share of each
pixel that is covered.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Pixels = NDArray[np.uint8]

SUPERSAMPLING = 4
SUBPIXEL_BITS = 3

# Pairs of background colours, quiet on purpose: the objects are meant to carry the colour.
BACKGROUNDS = np.array(
    [
        [(244, 238, 226), (226, 214, 196)],
        [(222, 233, 238), (188, 208, 220)],
        [(232, 240, 226), (198, 216, 190)],
        [(246, 228, 220), (230, 200, 190)],
        [(226, 222, 240), (196, 190, 220)],
        [(240, 240, 238), (206, 206, 204)],
        [(72, 84, 104), (44, 52, 70)],
        [(58, 88, 92), (34, 56, 62)],
        [(92, 76, 98), (58, 48, 70)],
        [(84, 92, 76), (54, 62, 50)],
        [(150, 158, 166), (112, 120, 132)],
        [(176, 160, 140), (138, 122, 106)],
    ],
    dtype=np.float32,
) / np.float32(255)

PAINTS = np.array(
    [
        (231, 76, 80), (242, 132, 66), (246, 190, 76), (140, 186, 86), (52, 152, 128), (64, 176, 190),
        (66, 126, 196), (88, 86, 172), (150, 92, 176), (222, 106, 152), (140, 94, 70), (250, 244, 232),
        (48, 54, 66), (122, 132, 144),
    ],
    dtype=np.float32,
) / np.float32(255)  # fmt: skip


def contours_of(kind: str, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Outline of a category or a distractor around the origin: one [P, 2] array, two where it has a hole.

    Args:
        kind: circle, triangle, square, star, cross, ring; or one of the distractors blob, pill, crescent.
        rng: used by the irregular ones only.
    """
    if kind == "ring":
        return [_regular(64, 1.0), _regular(64, 0.56)]
    if kind in ("circle", "triangle", "square"):
        return [_regular({"circle": 64, "triangle": 3, "square": 4}[kind], 1.0)]
    if kind == "star":
        radius = np.where(np.arange(10) % 2 == 0, 1.0, 0.43)
        return [_regular(10, 1.0) * radius[:, None]]
    if kind == "cross":
        a, b = 0.31, 1.0
        arm = [(a, -b), (a, -a), (b, -a), (b, a), (a, a), (a, b)]
        return [np.array(arm + [(-x, -y) for x, y in arm])]
    if kind == "pill":
        ends = np.where(np.arange(40) < 20, 0.76, -0.76)[:, None] * (1, 0)
        return [_regular(40, 0.24) + ends]
    if kind == "crescent":
        sweep = np.linspace(0.15, 1.35, 24) * math.pi
        outer = np.stack([np.cos(sweep), np.sin(sweep)], axis=1)
        thickness = 0.55 * np.sin(np.linspace(0, math.pi, 24))[::-1]
        return [np.concatenate([outer, outer[::-1] * (1 - thickness)[:, None]])]
    if kind == "blob":
        turn = np.arange(48) * (2 * math.pi / 48)
        lobes, depth = int(rng.integers(2, 4)), rng.uniform(0.28, 0.42)
        wave = depth * np.cos(lobes * turn) + rng.normal(0, 0.08) * np.cos((lobes + 1) * turn + 1)
        return [_regular(48, 1.0) * (1 + wave)[:, None] * (1.0, 0.7)]
    raise ValueError(f"no shape is called {kind!r}")


@functools.cache
def _regular(corners: int, radius: float) -> NDArray[np.float64]:
    turn = np.arange(corners) * (2 * math.pi / corners) + math.pi / corners
    return radius * np.stack([np.sin(turn), np.cos(turn)], axis=1)


def place(
    contours: list[NDArray[np.float64]],
    *,
    size: float,
    angle: float,
    stretch: float,
    centre: tuple[float, float],
) -> list[NDArray[np.float64]]:
    """Stretch, turn (radians), scale so that the longer side of the bounding box is `size`, and move."""
    cos, sin = math.cos(angle), math.sin(angle)
    turned = [(c * (stretch, 1 / stretch)) @ np.array([(cos, sin), (-sin, cos)]) for c in contours]
    low, high = turned[0].min(axis=0), turned[0].max(axis=0)
    scale = size / (high - low).max()
    return [(c - (low + high) / 2) * scale + centre for c in turned]


def rasterize(contours: list[NDArray[np.float64]], side: int) -> Floats:
    """Share of each pixel of a side x side patch that lies inside (even-odd), by supersampling."""
    fine = np.zeros((side * SUPERSAMPLING, side * SUPERSAMPLING), np.uint8)
    # OpenCV means the centre of a pixel by its index; here a pixel begins at its index.
    points = [
        np.round((c * SUPERSAMPLING - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32).reshape(-1, 1, 2)
        for c in contours
    ]
    cv2.fillPoly(fine, points, 255, lineType=cv2.LINE_8, shift=SUBPIXEL_BITS)
    return cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)


def draw_background(rng: np.random.Generator, size: int) -> Pixels:
    """A gradient between two quiet colours, most often with a texture: clouds, stripes, weave or dots."""
    pair = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    first, second = pair + rng.uniform(-0.02, 0.02, 3).astype(np.float32)
    x, y = _grid(size)
    turn = rng.uniform(0, 2 * math.pi)
    blend = np.float32(math.cos(turn) / size) * x + np.float32(math.sin(turn) / size) * y
    texture = rng.choice(["plain", "clouds", "clouds", "stripes", "weave", "dots"])
    if texture == "clouds":
        cells = int(rng.integers(4, 24))
        grid = np.float32(rng.uniform(0.1, 0.35)) * rng.standard_normal((cells, cells), dtype=np.float32)
        blend += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    elif texture != "plain":
        blend += np.float32(rng.uniform(0.12, 0.4)) * _pattern(texture, rng, x, y)
    # One table of 256 colours is much cheaper than three float images; blends from -0.8 to 0.8 span it.
    steps = np.linspace(-0.8, 0.8, 256, dtype=np.float32)[:, None]
    table = np.clip((first + second) / 2 + steps * (second - first), 0, 1)
    index = cv2.convertScaleAbs(blend + np.float32(0.8), alpha=255 / 1.6)
    colours = np.round(table * 255).astype(np.uint8)[:, None]
    return cv2.applyColorMap(index, colours).astype(np.uint8, copy=False)


@functools.lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Floats, Floats]:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) - np.float32(size / 2)
    return x, y


def _pattern(texture: str, rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    turn, period = rng.uniform(0, math.pi), rng.uniform(6, 28)
    step = 2 * math.pi / period
    along = np.float32(step * math.cos(turn)) * x + np.float32(step * math.sin(turn)) * y
    if texture == "stripes":
        return np.sin(along)
    across = np.float32(-step * math.sin(turn)) * x + np.float32(step * math.cos(turn)) * y
    product = np.sin(along) * np.sin(across)
    return product if texture == "weave" else (product > 0.6).astype(np.float32)


def draw_lines(image: Pixels, rng: np.random.Generator, count: int) -> None:
    """Thin bent lines across the image, in place; nothing is ever found on them."""
    size = image.shape[0]
    for _ in range(count):
        ends = rng.uniform(-0.1, 1.1, (2, 2)) * size
        bend = ends.mean(axis=0) + rng.normal(0, 0.12, 2) * size
        t = np.linspace(0, 1, 17)[:, None]
        curve = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * bend + t**2 * ends[1]
        colour = 153 * PAINTS[rng.integers(len(PAINTS))] + 0.4 * image[size // 2, size // 2]
        cv2.polylines(
            image,
            [np.round(curve * 8).astype(np.int32).reshape(-1, 1, 2)],
            isClosed=False,
            color=[int(c) for c in colour],
            thickness=int(rng.integers(1, 4)),
            lineType=cv2.LINE_AA,
            shift=3,
        )


def add_noise(image: Pixels, rng: np.random.Generator, sigma: float) -> Pixels:
    """Grey noise of `sigma` (in grey values of 255) on all three channels."""
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32)
    grain = np.round(grain * np.float32(sigma)).astype(np.int16)
    return cv2.add(image, cv2.merge([grain] * 3), dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def pick_paint(rng: np.random.Generator, behind: Floats, order: list[int], *, low_contrast: bool) -> Floats:
    """A fill colour [3]: one that stands out from the colour behind it, or hardly does.

    Args:
        rng: for the last nuance.
        behind: mean colour [3] of what will be covered.
        order: indices into `PAINTS` in order of preference; the one taken moves to the end.
        low_contrast: a colour close to the one behind instead.
    """
    if low_contrast:
        step = rng.uniform(0.06, 0.105) * (1 if behind.mean() < 0.5 else -1)
        return np.clip(behind + step + rng.uniform(-0.012, 0.012, 3), 0, 1).astype(np.float32)
    stands_out = (n for n, paint in enumerate(PAINTS[order]) if np.abs(paint - behind).max() > 0.28)
    taken = order.pop(next(stands_out, 0))
    order.append(taken)
    return np.clip(PAINTS[taken] + rng.uniform(-0.05, 0.05, 3), 0, 1).astype(np.float32)
