"""What keeps a data set from being trained on is found before the first step; the doctor finds it in every kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.datasets import coco_folder, labels, picture, voc_file, voc_folder, voc_object, yolo_folder

from detector.data import ShapesDataset, open_dataset
from detector.judging.doctor import examine
from detector.judging.findings import Report
from detector.judging.training_fitness import training_problems


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo", "shapes"])
def test_a_sound_data_set_is_fit(tmp_path: Path, kind: str) -> None:
    boxes = {f"{name}.png": [(1, 2, 30, 20), (4, 4, 36, 9)] for name in "ab"}
    opened = {
        "coco": lambda: open_dataset(coco_folder(tmp_path, boxes)),
        "voc": lambda: open_dataset(voc_folder(tmp_path)),
        "yolo": lambda: open_dataset(yolo_folder(tmp_path)),
        "shapes": lambda: ShapesDataset(3, size=64),
    }[kind]()
    assert training_problems(opened) == ()


def test_boxes_outside_are_named(tmp_path: Path) -> None:
    boxes = {"a.png": [(1, 2, 30, 20), (50, 3, 5, 5)], "b.png": [(4, 4, 30, 20)]}
    problems = training_problems(open_dataset(coco_folder(tmp_path, boxes)))
    assert problems == ("1 of 3 boxes lie wholly outside their image (at a.png, annotation 2)",)
    assert training_problems(open_dataset(tmp_path / "annotations.json"), limit=1) != ()


def test_nothing_to_learn_is_said(tmp_path: Path) -> None:
    for name, words in (
        ("none", {"boxes": {"a.png": []}}),
        ("crowd", {"boxes": {"a.png": [(1, 2, 30, 20)]}, "iscrowd": 1}),
    ):
        (problem,) = training_problems(open_dataset(coco_folder(tmp_path / name, **words)))
        assert problem.endswith("there are no objects to learn from")
    (tmp_path / "empty.json").write_text(
        json.dumps({"images": [], "annotations": [], "categories": [{"id": 1, "name": "x"}]})
    )
    assert training_problems(open_dataset(tmp_path / "empty.json"))[0].endswith("there are no images")


def test_files_that_vanished_or_changed_are_named(tmp_path: Path) -> None:
    dataset = open_dataset(coco_folder(tmp_path, {f"{name}.png": [(1, 2, 30, 20)] for name in "abcdef"}))
    (tmp_path / "images" / "a.png").unlink()
    picture(tmp_path / "images" / "b.png", (80, 60))
    for name in "cd":
        (tmp_path / "images" / f"{name}.png").write_bytes(b"nothing")
    problems = training_problems(dataset)
    assert len(problems) == 4
    assert "a.png" in problems[0]
    assert "image 2 is said to be 40x30, but b.png is 80x60" in problems[1]
    assert "c.png: not an image of a known format" in problems[2]
    assert problems[3] == "1 more images cannot be used"


def _places(report: Report, check: str) -> list[str]:
    finding = report.find(check)
    assert finding is not None, [finding.check for finding in report.findings]
    return [str(place) for place in finding.places]


def test_the_doctor_names_wrong_boxes_of_every_kind(tmp_path: Path) -> None:
    """NaN, infinite, without an area and outside: by file and annotation id, object or line."""
    nan, inf = float("nan"), float("inf")
    wrong = [
        (1, 2, nan, 4),
        (1, 2, inf, 4),
        (5, 5, 0, 4),
        (9, 9, 1e-9, 4),
        (60, 5, 3, 4),
        *[(1, 1, 30, 20)] * 30,
    ]
    coco = examine(coco_folder(tmp_path / "c", {"a.png": wrong}))
    assert _places(coco, "annotation_entry") == [f"a.png, annotation {number}" for number in (1, 2)]
    assert _places(coco, "degenerate_box") == [f"a.png, annotation {number}" for number in (3, 4)]
    assert _places(coco, "box_outside") == ["a.png, annotation 5"]
    voc = voc_folder(tmp_path / "v")
    corners = [("nan", 1, 2, 3), (1, 1, "inf", 3), (5, 5, 4, 9), (61, 5, 64, 9), (2, 2, 31, 21)]
    voc_file(voc / "Annotations" / "b.xml", *(voc_object("cat", box) for box in corners), image="b.jpg")
    found = examine(voc)
    assert _places(found, "annotation_entry") == [f"b.jpg, annotation {number}" for number in (1, 2, 3)]
    assert _places(found, "box_outside") == ["b.jpg, annotation 4"]
    yolo = yolo_folder(tmp_path / "y")
    labels(
        yolo / "labels" / "val" / "c.txt",
        "0 nan 0.5 1 1",
        "0 0.5 0.5 0 1",
        "0 1.6 0.5 0.1 0.1",
        "0 0.5 0.5 1 1",
    )
    assert _places(examine(yolo), "annotation_entry") == [
        f"c.png, annotation {number}" for number in (1, 2, 3)
    ]


def test_the_doctor_looks_at_the_rest(tmp_path: Path) -> None:
    voc = voc_folder(tmp_path)
    (voc / "JPEGImages" / "b.jpg").write_bytes(b"nothing")
    picture(voc / "JPEGImages" / "c.jpg", (80, 60))
    (voc / "JPEGImages" / "a.jpg").unlink()
    report = examine(voc)
    assert _places(report, "annotation_file") == ["Annotations/a.xml"]
    assert _places(report, "image_unreadable") == ["b.jpg"]
    assert _places(report, "size_differs") == ["c.jpg"]
    assert (report.images, report.objects) == (2, 1)
    assert report.categories == ("background", "ant", "cat", "dog")
    assert examine(open_dataset(yolo_folder(tmp_path / "y"))).errors == ()


def test_boxes_that_mean_something_else_are_told_once(tmp_path: Path) -> None:
    corners = {f"{k}.png": [(20, 15, 35, 28), (10 + k, 12, 39, 29), (22, 3, 38, 25)] for k in range(5)}
    (problem,) = training_problems(open_dataset(coco_folder(tmp_path / "a", corners)))
    assert problem.startswith("the boxes hold x1, y1, x2, y2 where x, y, width, height is expected")
    shares = {f"{k}.png": [(0.1, 0.2, 0.3, 0.5 + k / 50)] for k in range(5)}
    (problem,) = training_problems(open_dataset(coco_folder(tmp_path / "b", shares)))
    assert "shares of the image's sides" in problem


def test_objects_in_one_corner_are_no_reason_to_refuse(tmp_path: Path) -> None:
    """The doctor calls it another frame; a plate that is always photographed so is none."""
    boxes = {f"{k}.png": [(1 + j, 1 + k, 8, 8) for j in range(5)] for k in range(6)}
    dataset = open_dataset(coco_folder(tmp_path, boxes))
    assert examine(dataset).find("box_frame") is not None
    assert training_problems(dataset) == ()
