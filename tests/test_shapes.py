"""The shapes world: the same scene every time, exact boxes, and objects hard enough to lose."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from detector.data import CocoDataset, ShapesDataset, write_coco
from detector.data.shapes_composer import MIN_VISIBLE_PIXELS, MIN_VISIBLE_SHARE, draw_scene
from detector.data.shapes_drawing import contours_of, place, rasterize
from detector.data.shapes_scene import SHAPE_CATEGORIES, Scene

SEEDS = (0, 7, 12345)


def _same(a: Scene, b: Scene) -> bool:
    names = ("pixels", "boxes", "labels", "visible", "covered", "contrast", "sizes", "owner")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scene_depends_on_seed_and_index_only(seed: int) -> None:
    long, short = ShapesDataset(10_000, seed=seed), ShapesDataset(6, seed=seed)
    for index in (5, 0, 3):
        assert _same(long.scene(index), short.scene(index))
        assert _same(long.scene(index), draw_scene(seed, index))
    assert not _same(long.scene(0), long.scene(1))
    assert not _same(long.scene(0), ShapesDataset(1, seed=seed + 1).scene(0))


def test_workers_give_the_same_scenes_as_the_main_process() -> None:
    dataset = ShapesDataset(6, seed=3)
    loader = DataLoader(dataset, batch_size=2, num_workers=2, collate_fn=list)
    for index, (pixels, target) in enumerate(item for batch in loader for item in batch):
        here, expected = dataset[index]
        assert torch.equal(pixels, here)
        assert torch.equal(target["boxes"], expected["boxes"])
        assert target["image_id"] == index


@given(seed=st.integers(0, 2**40), index=st.integers(0, 2**40), size=st.integers(64, 300))
@settings(max_examples=25, deadline=None)
def test_boxes_are_the_bounds_of_the_visible_pixels(seed: int, index: int, size: int) -> None:
    scene = draw_scene(seed, index, size)
    assert scene.pixels.shape == (size, size, 3)
    assert scene.pixels.dtype == np.uint8
    assert set(np.unique(scene.owner)) - {-1} == set(range(len(scene.labels)))
    for number, (x1, y1, x2, y2) in enumerate(scene.boxes.astype(int)):
        rows, columns = np.nonzero(scene.owner == number)
        assert (x1, y1, x2, y2) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert len(rows) >= MIN_VISIBLE_PIXELS
        assert MIN_VISIBLE_SHARE <= scene.visible[number] <= 1
        assert 0 <= scene.covered[number] <= 1 - scene.visible[number] + 1e-6
        assert max(x2 - x1, y2 - y1) <= scene.sizes[number] + 2
        assert 1 <= scene.labels[number] < len(SHAPE_CATEGORIES)


@pytest.mark.parametrize("seed", SEEDS)
def test_contrast_is_the_difference_to_the_surroundings(seed: int) -> None:
    checked = 0
    for index in range(6):
        scene = draw_scene(seed, index)
        for number in np.flatnonzero((scene.covered == 0) & (scene.visible == 1)):
            mask = scene.owner == number
            # The ring reaches 4 px (a 9x9 square) beyond the shape: the same by a slow loop over shifts.
            padded = np.pad(mask, 4)
            wide = np.any(
                [padded[dy : dy + 256, dx : dx + 256] for dy in range(9) for dx in range(9)], axis=0
            )
            ring = wide & ~mask
            inside, around = scene.pixels[mask].mean(axis=0), scene.pixels[ring].mean(axis=0)
            expected = np.abs(inside - around).max() / 255
            assert scene.contrast[number] == pytest.approx(expected, abs=1e-4)
            checked += 1
    assert checked > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_world_is_hard_enough(seed: int) -> None:
    scenes = [draw_scene(seed, index) for index in range(160)]
    boxes = np.concatenate([s.boxes for s in scenes])
    covered, contrast, visible, sizes, labels = (
        np.concatenate([getattr(s, name) for s in scenes])
        for name in ("covered", "contrast", "visible", "sizes", "labels")
    )
    sides = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    assert (sides < 16).mean() >= 0.10
    assert (covered >= 0.25).mean() >= 0.18, "a fifth, less the scatter of 160 scenes"
    assert (contrast < 0.12).mean() >= 0.10
    truncated = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == 256).any(axis=1)
    assert (truncated & (visible < 0.95)).mean() >= 0.03
    assert sizes.min() >= 10
    assert sizes.max() <= 140.001
    assert sizes.max() > 120
    assert set(labels) == set(range(1, len(SHAPE_CATEGORIES)))


def _shoelace(contour: np.ndarray) -> float:
    x, y = contour.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


@pytest.mark.parametrize("kind", [*SHAPE_CATEGORIES[1:], "blob", "pill", "crescent"])
@given(size=st.floats(10, 140), angle=st.floats(0, 7), stretch=st.floats(0.9, 1.1), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_rasterized_area_is_the_area_of_the_polygon(
    kind: str, size: float, angle: float, stretch: float, seed: int
) -> None:
    side = math.ceil(size) + 6
    contours = contours_of(kind, np.random.default_rng(seed))
    placed = place(contours, size=size, angle=angle, stretch=stretch, centre=(side / 2, side / 2))
    low, high = placed[0].min(axis=0), placed[0].max(axis=0)
    assert (high - low).max() == pytest.approx(size)
    area = _shoelace(placed[0]) - sum(_shoelace(hole) for hole in placed[1:])
    outline = sum(np.linalg.norm(np.diff(c, axis=0, append=c[:1]), axis=1).sum() for c in placed)
    # OpenCV fills every fine cell that the outline touches: up to a quarter of a pixel on each side.
    mask = rasterize(placed, side)
    assert abs(float(mask.sum()) - area) <= outline * 0.25 + 1
    rows, columns = np.nonzero(mask >= 0.5)
    if kind != "crescent":  # its tips are thinner than a pixel
        assert abs(columns.min() - low[0]) <= 3
        assert abs(rows.max() + 1 - high[1]) <= 3


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="hexagon"):
        contours_of("hexagon", np.random.default_rng(0))


def test_items_are_what_torchvision_takes() -> None:
    dataset = ShapesDataset(3, seed=7, size=128)
    assert sum(1 for _ in dataset) == 3, "iteration ends by itself"
    pixels, target = dataset[1]
    assert pixels.shape == (3, 128, 128)
    assert pixels.dtype == torch.uint8
    boxes = target["boxes"]
    assert isinstance(boxes, tv_tensors.BoundingBoxes)
    assert boxes.canvas_size == (128, 128)
    assert boxes.dtype == torch.float32
    assert target["labels"].dtype == torch.int64
    for name in ("visible", "covered", "contrast", "size"):
        assert target[name].shape == target["labels"].shape


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0}, "length of the shapes world is 0"),
        ({"length": 5, "seed": -1}, "seed of the shapes world is -1"),
        ({"length": 5, "size": 63}, "size of the shapes world is 63"),
    ],
)
def test_impossible_worlds_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShapesDataset(**arguments)


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_an_index_outside_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError):
        ShapesDataset(3)[index]


def test_exported_scenes_read_back_the_same(tmp_path: Path) -> None:
    dataset = ShapesDataset(9, seed=7)
    file = write_coco(dataset, tmp_path / "world", indices=[4, 0, 8])
    back = CocoDataset(tmp_path / "world")
    assert back.categories == SHAPE_CATEGORIES
    assert len(back) == 3
    for position, index in enumerate([4, 0, 8]):
        (pixels, target), (expected, truth) = back[position], dataset[index]
        assert torch.equal(pixels, expected)
        assert torch.equal(target["boxes"], truth["boxes"])
        assert torch.equal(target["labels"], truth["labels"])
    first = json.loads(file.read_text())["annotations"][0]
    assert first["visible"] == pytest.approx(float(dataset[4][1]["visible"][0]), abs=1e-4)
    assert [p.name for p in tmp_path.iterdir()] == ["world"], "no temporary folder stays"


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(IndexError):
        write_coco(ShapesDataset(2), tmp_path / "world", indices=[0, 5])
    assert list(tmp_path.iterdir()) == []


def test_an_export_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(ValueError, match="something already"):
        write_coco(ShapesDataset(1), tmp_path)
    with pytest.raises(ValueError, match="parent folder"):
        write_coco(ShapesDataset(1), tmp_path / "no" / "such")
    assert (tmp_path / "kept.txt").read_text() == "mine"
