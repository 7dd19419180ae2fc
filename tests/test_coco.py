"""Reading COCO folders: the same objects that pycocotools sees, and one clear sentence for a mistake."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from detector.data import CocoDataset, ShapesDataset, ground_truth_of, open_dataset

Document = dict[str, Any]

GOOD: Document = {
    "images": [
        {"id": 30, "file_name": "a.png", "height": 20, "width": 30},
        {"id": 10, "file_name": "b.png", "height": 12, "width": 16},
        {"id": 20, "file_name": "c.png"},
    ],
    "annotations": [
        {"id": 5, "image_id": 30, "category_id": 90, "bbox": [1, 2, 10, 5.5], "area": 55, "iscrowd": 0},
        {"id": 4, "image_id": 20, "category_id": 7, "bbox": [0, 0, 4, 4]},
        {"id": 9, "image_id": 30, "category_id": 7, "bbox": [-2, 3, 8, 30], "area": 240, "iscrowd": 1},
    ],
    "categories": [{"id": 90, "name": "toothbrush"}, {"id": 7, "name": "train"}],
}
SIZES = {"a.png": (30, 20), "b.png": (16, 12), "c.png": (8, 8)}


def _write(folder: Path, document: object, images: str = ".") -> Path:
    (folder / images).mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        Image.new("RGB", size, (9, 99, 199)).save(folder / images / name)
    (folder / "annotations.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return folder


@pytest.mark.parametrize("images", [".", "images"])
def test_a_folder_is_read(tmp_path: Path, images: str) -> None:
    dataset = CocoDataset(_write(tmp_path, GOOD, images))
    assert dataset.categories == ("background", "train", "toothbrush")
    assert dataset.category_ids == (7, 90)
    pixels, target = dataset[0]
    assert pixels.shape == (3, 20, 30)
    assert pixels[:, 0, 0].tolist() == [9, 99, 199]
    assert target["image_id"] == 30
    assert target["boxes"].tolist() == [[1, 2, 11, 7.5], [-2, 3, 6, 33]]
    assert target["boxes"].canvas_size == (20, 30)
    assert target["labels"].tolist() == [2, 1]
    assert target["ids"].tolist() == [5, 9]
    assert target["iscrowd"].tolist() == [False, True]


def test_an_image_without_annotations_stays(tmp_path: Path) -> None:
    dataset = CocoDataset(_write(tmp_path, GOOD))
    assert len(dataset) == 3
    _, target = dataset[1]
    assert target["image_id"] == 10
    assert target["boxes"].shape == (0, 4)
    assert target["labels"].dtype == torch.int64
    assert target["iscrowd"].dtype == torch.bool
    assert len(ground_truth_of(target)) == 0


def test_ground_truth_keeps_crowds_and_ids(tmp_path: Path) -> None:
    truth = ground_truth_of(CocoDataset(_write(tmp_path, GOOD))[0][1])
    assert truth.crowd.tolist() == [False, True]
    assert truth.ids.tolist() == [5, 9]
    shapes = ground_truth_of(ShapesDataset(1)[0][1])
    assert not shapes.crowd.any()
    assert shapes.ids.tolist() == list(range(len(shapes)))


_box = st.tuples(
    st.floats(-50, 500, width=32), st.floats(-50, 500, width=32),
    st.floats(1, 300, width=32), st.floats(1, 300, width=32),
)  # fmt: skip
_object = st.tuples(st.integers(0, 2), st.sampled_from([1, 4, 500]), _box, st.booleans())


@given(objects=st.lists(_object, max_size=12))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reads_what_pycocotools_reads(tmp_path: Path, objects: list[tuple[Any, ...]]) -> None:
    document = {
        "images": [{"id": 7 - k, "file_name": name} for k, name in enumerate(SIZES)],
        "categories": [{"id": k, "name": f"c{k}"} for k in (500, 1, 4)],
        "annotations": [
            {"id": 100 - k, "image_id": 7 - image, "category_id": category, "bbox": list(box)}
            | {"area": box[2] * box[3], "iscrowd": int(crowd)}
            for k, (image, category, box, crowd) in enumerate(objects)
        ],
    }
    dataset = CocoDataset(_write(tmp_path, document))
    oracle = COCO(str(tmp_path / "annotations.json"))
    assert sum(len(target["labels"]) for _, target in dataset) == len(objects)
    for _, target in dataset:
        rows = zip(target["ids"].tolist(), target["boxes"], target["labels"], target["iscrowd"], strict=True)
        for number, box, label, crowd in rows:
            expected = oracle.loadAnns(number)[0]
            x, y, w, h = expected["bbox"]
            np.testing.assert_allclose(box.numpy(), [x, y, x + w, y + h], rtol=1e-6)
            assert dataset.category_ids[int(label) - 1] == expected["category_id"]
            assert bool(crowd) == bool(expected["iscrowd"])
            assert target["image_id"] == expected["image_id"]


def _set(section: str, position: int, key: str, value: object) -> Callable[[Document], None]:
    return lambda document: document[section][position].__setitem__(key, value)


def _drop(section: str, position: int, key: str) -> Callable[[Document], None]:
    return lambda document: document[section][position].pop(key)


MISTAKES = {
    "unknown image": (_set("annotations", 1, "image_id", 77), "annotation 4 is on image 77, which is not in"),
    "unknown category": (_set("annotations", 2, "category_id", 8), "annotation 9 is on category 8, which is"),
    "no box": (_drop("annotations", 0, "bbox"), "annotation 5 has no 'bbox'"),
    "no annotation id": (_drop("annotations", 0, "id"), "an annotation has no 'id'"),
    "no image id": (_drop("annotations", 0, "image_id"), "annotation 5 has no 'image_id'"),
    "no file name": (_drop("images", 1, "file_name"), "image 10 has no 'file_name'"),
    "no category name": (_drop("categories", 0, "name"), "category 90 has no 'name'"),
    "three numbers": (_set("annotations", 0, "bbox", [1, 2, 3]), r"annotation 5 has the box \[1, 2, 3\]"),
    "a text in a box": (_set("annotations", 0, "bbox", [1, 2, "3", 4]), "annotation 5 has the box"),
    "NaN": (_set("annotations", 0, "bbox", [1, 2, float("nan"), 4]), "annotation 5 .* not finite"),
    "infinity": (_set("annotations", 0, "bbox", [1, 2, float("inf"), 4]), "annotation 5 .* not finite"),
    "zero width": (_set("annotations", 2, "bbox", [1, 2, 0, 4]), "annotation 9 .* of no area"),
    "negative height": (_set("annotations", 2, "bbox", [1, 2, 3, -4]), "annotation 9 .* of no area"),
    "odd crowd": (_set("annotations", 0, "iscrowd", "yes"), "annotation 5 has iscrowd 'yes'"),
    "id is text": (_set("annotations", 0, "id", "five"), "an annotation has the id 'five'"),
    "id is NaN": (_set("images", 0, "id", float("nan")), "an image has the id nan"),
    "annotation twice": (_set("annotations", 1, "id", 5), "annotation 5 is there twice"),
    "image twice": (_set("images", 1, "id", 30), "image 30 is there twice"),
    "category twice": (_set("categories", 1, "id", 90), "category 90 is there twice"),
    "missing file": (_set("images", 0, "file_name", "z.png"), "the file z.png of image 30 is missing"),
    "outside": (_set("images", 0, "file_name", "../a.png"), "image 30 has the file name '../a.png'"),
    "absolute": (_set("images", 0, "file_name", "/a.png"), "image 30 has the file name '/a.png'"),
    "drive": (_set("images", 0, "file_name", "C:\\a.png"), "image 30 has the file name"),
    "not an object": (lambda d: d["annotations"].append(3), "entry 3 of 'annotations' is 3"),
    "no categories": (lambda d: d.update(categories=[]), "there are no categories"),
    "no list": (lambda d: d.update(annotations={}), "not a COCO detection file"),
    "list missing": (lambda d: d.pop("images"), "not a COCO detection file"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(tmp_path: Path, name: str) -> None:
    spoil, message = MISTAKES[name]
    document = copy.deepcopy(GOOD)
    spoil(document)
    with pytest.raises(ValueError, match=message) as caught:
        CocoDataset(_write(tmp_path, document))
    assert "annotations.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "not json", '{"images": [', "[" * 100_000, "\xff\xfe", "[]", "3"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"annotations\.json: this is not"):
        CocoDataset(_write(tmp_path, text))


def test_a_size_that_does_not_fit_the_image_is_refused(tmp_path: Path) -> None:
    document = copy.deepcopy(GOOD)
    document["images"][0]["height"] = 21
    dataset = CocoDataset(_write(tmp_path, document))
    with pytest.raises(ValueError, match=r"image 30 is said to be 30x21, but a\.png is 30x20"):
        dataset[0]


def test_a_damaged_image_is_refused(tmp_path: Path) -> None:
    dataset = CocoDataset(_write(tmp_path, GOOD))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    with pytest.raises(ValueError, match=r"a\.png"):
        dataset[0]


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_is_an_index_error(tmp_path: Path, index: int) -> None:
    with pytest.raises(IndexError):
        CocoDataset(_write(tmp_path, GOOD))[index]


def test_open_dataset_recognises_what_it_gets(tmp_path: Path) -> None:
    folder = _write(tmp_path, GOOD)
    for source in (folder, str(folder), folder / "annotations.json"):
        opened = open_dataset(source)
        assert isinstance(opened, CocoDataset)
        assert len(opened) == 3
    (folder / "annotations.json").rename(folder / "instances.json")
    assert len(open_dataset(folder)) == 3
    shapes = open_dataset("shapes:12:99")
    assert isinstance(shapes, ShapesDataset)
    assert (len(shapes), shapes.seed) == (12, 99)
    assert torch.equal(open_dataset("shapes:5")[3][0], ShapesDataset(5, seed=7)[3][0])


@pytest.mark.parametrize(
    "source", ["", " ", "shapes:", "shapes:-3", "shapes:3:", "shapes:3:x", "shapes:0", "nothing/here", "coco"]
)
def test_open_dataset_says_what_it_expects(source: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        open_dataset(source)


def test_open_dataset_refuses_other_things(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no COCO annotations"):
        open_dataset(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ValueError, match="is not a data set"):
        open_dataset(tmp_path / "a.txt")
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(GOOD))
    with pytest.raises(ValueError, match="2 JSON files"):
        open_dataset(tmp_path)
    with pytest.raises(TypeError, match="int"):
        open_dataset(3)  # pyright: ignore[reportArgumentType]
