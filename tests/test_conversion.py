"""Conversion among COCO, VOC and YOLO: boxes come back, files are copied as they are, losses are said."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.datasets import coco_folder, picture, voc_folder, yolo_folder
from torch import Tensor

from detector.data import AnnotatedFiles, CocoDataset, ShapesDataset, open_dataset
from detector.data.conversion import convert

KINDS = ("coco", "voc", "yolo")
PRECISION = {"coco": 1e-6, "voc": 1e-6, "yolo": 1e-3}


def _things(dataset: Any, index: int) -> list[tuple[str, list[float], bool]]:
    """Name, box and whether it is ignored, of every object of an image."""
    target = dataset[index][1]
    crowd = target.get("iscrowd", torch.zeros(len(target["labels"]))).tolist()
    rows = zip(target["labels"].tolist(), target["boxes"].tolist(), crowd, strict=True)
    return [(dataset.categories[label], box, bool(ignored)) for label, box, ignored in rows]


def _assert_same(before: Any, after: Any, precision: float) -> None:
    assert len(before) == len(after)
    for index in range(len(before)):
        ours, theirs = _things(before, index), _things(after, index)
        assert [(name, ignored) for name, _, ignored in ours] == [
            (name, ignored) for name, _, ignored in theirs
        ]
        boxes = [torch.tensor([box for _, box, _ in things]).reshape(-1, 4) for things in (ours, theirs)]
        torch.testing.assert_close(boxes[0], boxes[1], atol=precision, rtol=1e-6 if precision < 1e-3 else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_scenes_come_back(tmp_path: Path, kind: str) -> None:
    scenes = ShapesDataset(4, seed=3, size=64)
    done = convert(scenes, kind, tmp_path / "new")
    assert (done.images, done.objects) == (4, sum(len(scenes[index][1]["labels"]) for index in range(4)))
    back = open_dataset(done.folder)
    _assert_same(scenes, back, PRECISION[kind])
    assert all(torch.equal(scenes[index][0], back[index][0]) for index in range(4)), "PNG, without loss"
    assert [path.name for path in tmp_path.iterdir()] == ["new"], "no temporary folder stays"


@pytest.mark.parametrize(("source", "kind"), list(permutations(KINDS, 2)))
def test_there_and_back(tmp_path: Path, source: str, kind: str) -> None:
    before = open_dataset(convert(ShapesDataset(3, seed=5, size=64), source, tmp_path / "a").folder)
    there = open_dataset(convert(before, kind, tmp_path / "b").folder)
    back = open_dataset(convert(there, source, tmp_path / "c").folder)
    precision = max(PRECISION[source], PRECISION[kind])
    _assert_same(before, there, precision)
    _assert_same(before, back, precision)
    assert isinstance(before, AnnotatedFiles)
    assert isinstance(there, AnnotatedFiles)
    for index in range(3):
        assert before.image_path(index).read_bytes() == there.image_path(index).read_bytes()


_box = st.tuples(st.floats(0, 39), st.floats(0, 29), st.floats(0.01, 39), st.floats(0.01, 29))


@given(boxes=st.lists(_box, max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", KINDS)
def test_any_box_comes_back(
    tmp_path_factory: pytest.TempPathFactory, kind: str, boxes: list[tuple[float, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("boxes")
    inside = [(x, y, min(w, 40 - x), min(h, 30 - y)) for x, y, w, h in boxes]
    before = open_dataset(coco_folder(folder / "a", {"a.png": inside}))
    _assert_same(before, open_dataset(convert(before, kind, folder / "b").folder), PRECISION[kind])


def test_yolo_is_exact_in_the_largest_images(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "a", {"a.png": [(1234.567, 2.001, 7000.123, 3.3)]})
    picture(folder / "images" / "a.png", (9000, 50))
    text = (
        (folder / "annotations.json")
        .read_text()
        .replace('"width": 40, "height": 30', '"width": 9000, "height": 50')
    )
    (folder / "annotations.json").write_text(text)
    before = open_dataset(folder)
    _assert_same(before, open_dataset(convert(before, "yolo", tmp_path / "b").folder), 1e-3)


def test_cocos_ids_are_kept(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "a", {"a.png": [(1, 2, 3, 4)], "b.png": [(0.1, 0.2, 9.7, 5.5)]})
    document = json.loads((folder / "annotations.json").read_text())
    document["annotations"][0]["id"], document["annotations"][1]["id"] = 812, 77
    document["annotations"][0]["area"] = 7.25  # of a mask: COCO's sizes go by it
    (folder / "annotations.json").write_text(json.dumps(document))
    done = convert(open_dataset(folder), "coco", tmp_path / "b")
    back = open_dataset(done.folder)
    assert isinstance(back, CocoDataset)
    assert back.category_ids == (5,)
    assert [back[index][1]["ids"].tolist() for index in range(2)] == [[812], [77]]
    written = json.loads((done.folder / "annotations.json").read_text())["annotations"]
    assert [one["area"] for one in written] == [7.25, pytest.approx(9.7 * 5.5)]
    assert written[1]["bbox"] == [0.1, 0.2, 9.7, 5.5], "no noise of floats"
    assert any("segmentations" in note for note in done.notes)


def test_what_gets_lost_is_said(tmp_path: Path) -> None:
    boxes = {"a.png": [(1, 2, 3, 4), (30, 20, 20, 20), (60, 2, 3, 4)], "b.png": []}
    plain = open_dataset(coco_folder(tmp_path / "a", boxes))
    done = convert(plain, "yolo", tmp_path / "y")
    assert done.objects == 2
    assert any("1 boxes stuck out" in note for note in done.notes)
    assert any("1 boxes wholly outside" in note for note in done.notes)
    assert open_dataset(done.folder)[0][1]["boxes"].tolist()[1] == [30, 20, 40, 30]
    _assert_same(plain, open_dataset(convert(plain, "voc", tmp_path / "v").folder), 1e-6)
    crowd = open_dataset(coco_folder(tmp_path / "b", {"a.png": [(1, 2, 3, 4)]}, iscrowd=1))
    for kind, words, left in (
        ("yolo", "1 are left out", 0),
        ("voc", "1 crowd regions are written as difficult", 1),
    ):
        done = convert(crowd, kind, tmp_path / f"crowd_{kind}")
        assert any(words in note for note in done.notes)
        assert done.objects == left == len(open_dataset(done.folder)[0][1]["labels"])
    names = convert(ShapesDataset(1, size=64), "voc", tmp_path / "names").notes
    assert any("without an object" in note for note in names)
    assert any("by the alphabet" in note for note in names)


def test_difficult_objects_stay_difficult(tmp_path: Path) -> None:
    voc = open_dataset(voc_folder(tmp_path / "a"))
    coco = convert(voc, "coco", tmp_path / "b")
    assert any("1 difficult objects are written as crowd" in note for note in coco.notes)
    again = convert(voc, "voc", tmp_path / "c")
    assert not any("crowd" in note for note in again.notes)
    for folder in (coco.folder, again.folder):
        _assert_same(voc, open_dataset(folder), 0)


def test_names_that_collide_are_told_apart(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "a", {"x/a.png": [(1, 2, 3, 4)], "y/A.jpg": [(5, 6, 7, 8)], "b.png": []})
    before = open_dataset(folder)
    for kind in KINDS:
        done = convert(before, kind, tmp_path / kind)
        after = open_dataset(done.folder)
        assert any("1 images got a new name" in note for note in done.notes)
        assert sorted(map(_first_box, after)) == sorted(map(_first_box, before))


def _first_box(sample: Any) -> list[float]:
    return sample[1]["boxes"].as_subclass(Tensor).flatten().tolist()


def test_a_turned_image_is_copied_and_said(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "a")
    (folder / "images" / "val" / "c.png").unlink()
    original = picture(folder / "images" / "val" / "c.jpg", (40, 30), orientation=6)
    for kind in KINDS:
        done = convert(open_dataset(folder), kind, tmp_path / kind)
        assert any("1 images carry an EXIF orientation" in note for note in done.notes)
        after = open_dataset(done.folder)
        assert isinstance(after, AnnotatedFiles)
        assert after.image_path(2).read_bytes() == original.read_bytes()
        assert after[2][1]["boxes"].tolist() == [[0, 0, 30, 40]]


def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path) -> None:
    before = open_dataset(coco_folder(tmp_path / "a", {"a.png": [(1, 2, 3, 4)], "b.png": []}))
    picture(tmp_path / "a" / "images" / "b.png", (80, 60))
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match=r"image 2 is said to be 40x30, but b\.png is 80x60"):
        convert(before, "voc", tmp_path / "out" / "new")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(ValueError, match="there is something already"):
        convert(before, "voc", tmp_path / "a")
    with pytest.raises(ValueError, match="cannot be written as 'csv'; expected coco, voc, yolo"):
        convert(before, "csv", tmp_path / "new")


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    convert(ShapesDataset(3, size=64), "yolo", tmp_path / "a", progress=lambda *counts: told.append(counts))
    assert told == [(1, 3), (2, 3), (3, 3)]
