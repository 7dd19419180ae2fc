"""Reading YOLO folders: boxes in pixels of the upright image, and one sentence for all mistakes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
import yaml
from support.datasets import labels, picture, yolo_folder

from detector.data import YoloDataset


@pytest.mark.parametrize("names", [("cat", "dog"), {0: "cat", 1: "dog"}])
def test_a_folder_is_read(tmp_path: Path, names: object) -> None:
    folder = yolo_folder(tmp_path)
    content = {
        "train": "images/train",
        "val": "images/val",
        "nc": 2,
        "names": list(names) if isinstance(names, tuple) else names,
    }
    (folder / "data.yaml").write_text(yaml.safe_dump(content))
    dataset = YoloDataset(folder)
    assert dataset.categories == ("background", "cat", "dog")
    assert dataset.category_ids == (0, 1)
    assert [dataset.image_path(index).name for index in range(3)] == ["a.png", "b.png", "c.png"]
    pixels, target = dataset[0]
    assert pixels.shape == (3, 30, 40)
    # 0.5 0.5 0.25 0.2 of 40 x 30: 10 wide and 6 high about (20, 15).
    torch.testing.assert_close(
        target["boxes"].as_subclass(torch.Tensor), torch.tensor([[15.0, 12, 25, 18], [0, 0, 8, 6]])
    )
    assert target["labels"].tolist() == [2, 1]
    assert target["ids"].tolist() == [1, 2], "the lines of the file"
    assert not target["iscrowd"].any()
    assert dataset[1][1]["boxes"].shape == (0, 4), "an image without a label file stays"
    assert dataset[2][1]["boxes"].tolist() == [[0, 0, 40, 30]]


def test_splits_are_named_or_pointed_at(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path)
    by_name = YoloDataset(folder, "val"), YoloDataset(folder / "data.yaml", "val")
    for opened in (*by_name, YoloDataset(folder / "images" / "val")):
        assert [opened.image_path(0).name, len(opened)] == ["c.png", 1]
        assert opened.categories == ("background", "cat", "dog")
    with pytest.raises(ValueError, match="no split 'test'; there are train, val"):
        YoloDataset(folder, "test")


def test_other_layouts_are_read(tmp_path: Path) -> None:
    """As Roboflow exports it; as a list of files; as labelImg writes it."""
    picture(tmp_path / "r" / "train" / "images" / "a.png")
    labels(tmp_path / "r" / "train" / "labels" / "a.txt", "0 0.5 0.5 0.5 0.5")
    (tmp_path / "r" / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnames: [cat]\n")
    assert len(YoloDataset(tmp_path / "r")[0][1]["labels"]) == 1
    assert len(YoloDataset(tmp_path / "r" / "train")) == 1
    listed = yolo_folder(tmp_path / "l")
    (listed / "some.txt").write_text("./images/val/c.png\nimages/train/a.png\n\n")
    (listed / "data.yaml").write_text("path: .\ntrain: some.txt\nnames: {3: cat, 0: dog, 1: ant}\n")
    dataset = YoloDataset(listed)
    assert [dataset.image_path(index).name for index in range(2)] == ["c.png", "a.png"]
    assert dataset.categories == ("background", "dog", "ant", "cat")
    assert dataset.category_ids == (0, 1, 3)
    flat = picture(tmp_path / "f" / "a.png").parent
    labels(flat / "a.txt", "1 0.5 0.5 0.5 0.5")
    (flat / "classes.txt").write_text("cat\ndog\n")
    assert YoloDataset(flat)[0][1]["labels"].tolist() == [2]


def test_boxes_are_shares_of_the_upright_image(tmp_path: Path) -> None:
    """A phone's photo that is stored lying."""
    folder = yolo_folder(tmp_path)
    picture(folder / "images" / "val" / "c.jpg", (40, 30), orientation=6)
    (folder / "images" / "val" / "c.png").unlink()
    dataset = YoloDataset(folder, "val")
    assert dataset[0][0].shape == (3, 40, 30)
    assert dataset[0][1]["boxes"].tolist() == [[0, 0, 30, 40]]


def test_a_slow_reader_agrees(tmp_path: Path) -> None:
    chance = random.Random(4)
    folder, lines, expected = yolo_folder(tmp_path), [], []
    for _ in range(50):
        x, y = sorted(chance.random() * 40 for _ in range(2)), sorted(chance.random() * 30 for _ in range(2))
        lines.append(f"0 {(x[0] + x[1]) / 80} {(y[0] + y[1]) / 60} {(x[1] - x[0]) / 40} {(y[1] - y[0]) / 30}")
        expected.append([x[0], y[0], x[1], y[1]])
    labels(folder / "labels" / "val" / "c.txt", *lines)
    found = YoloDataset(folder, "val").truth(0).boxes
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=0)


def test_a_tiny_overshoot_is_clipped(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path)
    labels(folder / "labels" / "val" / "c.txt", "0 0.5 0.5 1.01 1.000002")
    assert YoloDataset(folder, "val").truth(0).boxes.tolist() == [[0, 0, 40, 30]]


MISTAKES = {
    "four numbers": ("0 0.5 0.5 0.1", "line 2 holds 4 values; expected class, centre x"),
    "six numbers": ("0 0.5 0.5 0.1 0.1 0.9", "line 2 holds 6 values"),
    "NaN": ("0 nan 0.5 0.1 0.1", "line 2 holds nan, which is not finite"),
    "infinity": ("0 0.5 0.5 inf 0.1", "line 2 holds inf, which is not finite"),
    "a word": ("0 0.5 half 0.1 0.1", "line 2 holds 'half'"),
    "negative class": ("-1 0.5 0.5 0.1 0.1", "line 2 has the class -1; the data set's classes are 0, 1"),
    "class too large": ("2 0.5 0.5 0.1 0.1", "line 2 has the class 2"),
    "half a class": ("0.5 0.5 0.5 0.1 0.1", "line 2 has the class 0.5"),
    "class NaN": ("nan 0.5 0.5 0.1 0.1", "line 2 has the class nan"),
    "no width": ("0 0.5 0.5 0 0.1", "line 2 has a box of no area"),
    "negative height": ("0 0.5 0.5 0.1 -0.1", "line 2 has a box of no area"),
    "no width in float32": ("0 0.5 0.5 1e-12 0.1", "line 2 has a box that has no area"),
    "outside": ("0 0.9 0.5 0.3 0.1", "line 2 has a box that leaves its image"),
    "pixels": ("0 20 15 10 6", "line 2 has a box that leaves its image"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(tmp_path: Path, name: str) -> None:
    line, message = MISTAKES[name]
    folder = yolo_folder(tmp_path)
    labels(folder / "labels" / "val" / "c.txt", "0 0.5 0.5 1 1", line)
    with pytest.raises(ValueError, match=message) as caught:
        YoloDataset(folder)
    assert "labels/val/c.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path)
    labels(folder / "labels" / "train" / "a.txt", "7 0.5 0.5 1 1", "0 0.5 0.5 1 1", "0 nan 0.5 1 1")
    labels(folder / "labels" / "train" / "z.txt", "0 0.5 0.5 1 1")
    (folder / "images" / "val" / "c.png").write_bytes(b"no image")
    with pytest.raises(
        ValueError, match=r"4 mistakes: labels/train/a\.txt: line 1 .*line 3 .*c\.png: .*and 1 more"
    ):
        YoloDataset(folder)


def test_a_label_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path)
    (folder / "labels" / "val" / "c.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"labels/val/c\.txt: this is not text in UTF-8"):
        YoloDataset(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("names: [cat", "not YAML"), ("[1]", "not the YAML of a YOLO"), ("names: []\ntrain: x", "no names"),
        ("names: [cat, null]\ntrain: images", "class 1 has the name None"),
        ("names: {-1: cat}\ntrain: images", "number -1"), ("names: [cat]\nnc: 3\ntrain: images", "nc is 3"),
        ("names: [cat]", "neither train nor val"), ("names: [cat]\ntrain: 3", "train is 3"),
        ("names: [cat]\ntrain: elsewhere", "train is 'elsewhere', which is not there below"),
        ("names: [cat]\ntrain: ../../outside", "which is not there below"),
        ("names: [cat]\ntrain: images\npath: [x]", "path is"),
        ("names: [cat]\ntrain: empty", "no images in empty"),
        ("a: &a [x, x]\nnames: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)  # fmt: skip
def test_other_settings_are_refused(tmp_path: Path, content: str, message: str) -> None:
    folder = yolo_folder(tmp_path / "in")
    (folder / "empty").mkdir()
    picture(tmp_path / "outside" / "x.png")
    (folder / "data.yaml").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        YoloDataset(folder / "data.yaml")
    assert "data.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_that_names_files_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "in")
    picture(tmp_path / "x.png")
    (folder / "some.txt").write_text("images/val/c.png\n../x.png\n")
    (folder / "data.yaml").write_text(json.dumps({"train": "some.txt", "names": ["cat"]}))
    with pytest.raises(ValueError, match=r"some\.txt: line 2 names '\.\./x\.png', which is no file below"):
        YoloDataset(folder)


def test_what_is_no_yolo_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no YOLO data set; expected data\.yaml"):
        YoloDataset(tmp_path)
    with pytest.raises(ValueError, match="no such file or folder"):
        YoloDataset(tmp_path / "nowhere")
