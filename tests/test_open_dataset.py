"""One door to data sets: each kind is recognised, and what is none or several is said in one sentence."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from support.datasets import coco_folder, labels, picture, voc_file, voc_folder, voc_object, yolo_folder

from detector.data import CocoDataset, VocDataset, YoloDataset, open_dataset, splits_of
from detector.judging.identity import dataset_digest, dataset_name
from viz_app.dataset_scenes import annotations_written, item_choice

THINGS = {"a.png": [(1, 2, 3, 4)], "b.png": []}


def test_each_kind_is_recognised(tmp_path: Path) -> None:
    coco, voc, yolo = (tmp_path / name for name in ("coco", "voc", "yolo"))
    coco_folder(coco, THINGS)
    assert isinstance(open_dataset(coco), CocoDataset)
    assert isinstance(open_dataset(coco / "annotations.json"), CocoDataset)
    assert isinstance(open_dataset(str(voc_folder(voc))), VocDataset)
    assert isinstance(open_dataset(yolo_folder(yolo)), YoloDataset)
    assert isinstance(open_dataset(yolo / "data.yaml"), YoloDataset)
    flat = voc_file(tmp_path / "flat" / "x.xml", voc_object("cat", (1, 1, 2, 2))).parent
    picture(flat / "x.png")
    assert isinstance(open_dataset(flat), VocDataset)


def test_cocos_own_layout_is_read(tmp_path: Path) -> None:
    coco_folder(tmp_path, THINGS)
    (tmp_path / "images").rename(tmp_path / "val2017")
    (tmp_path / "annotations").mkdir()
    file = (tmp_path / "annotations.json").rename(tmp_path / "annotations" / "instances_val2017.json")
    assert open_dataset(file)[0][1]["boxes"].tolist() == [[1, 2, 4, 6]]


@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_a_split_has_a_text_that_opens_it(tmp_path: Path, kind: str) -> None:
    folder = (voc_folder if kind == "voc" else yolo_folder)(tmp_path)
    splits = splits_of(folder)
    assert sorted(splits) == ["train", "val"], "VOC's list for one class is none"
    parts = [open_dataset(splits[name]) for name in ("train", "val")]
    assert [len(part) for part in parts] == [2, 1]
    assert parts[0].categories == parts[1].categories == open_dataset(folder).categories
    for part in (*parts, open_dataset(folder)):
        again = open_dataset(dataset_name(part))
        assert dataset_digest(again) == dataset_digest(part), "its name opens the same"
    assert len({dataset_digest(part) for part in (*parts, open_dataset(folder))}) == 3


def test_several_json_files_are_splits(tmp_path: Path) -> None:
    coco_folder(tmp_path, THINGS)
    assert splits_of(tmp_path) == {}
    text = (tmp_path / "annotations.json").read_text()
    for name in ("train.json", "val.json"):
        (tmp_path / name).write_text(text)
    (tmp_path / "annotations.json").unlink()
    assert splits_of(tmp_path) == {name: str(tmp_path / f"{name}.json") for name in ("train", "val")}
    assert splits_of("shapes:3") == {}


def test_none_and_several_kinds_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="no COCO annotations, VOC annotations or YOLO labels; expected a COCO"
    ) as none:
        open_dataset(tmp_path)
    assert "Pascal VOC folder" in str(none.value)
    voc_folder(tmp_path)
    yolo_folder(tmp_path)
    with pytest.raises(
        ValueError, match="holds VOC annotations and YOLO labels; name the JSON file"
    ) as several:
        open_dataset(tmp_path)
    assert "\n" not in str(none.value) + str(several.value)
    assert isinstance(open_dataset(tmp_path / "data.yaml"), YoloDataset), "naming one of them helps"


def test_a_json_file_of_another_kind_makes_no_coco_folder(tmp_path: Path) -> None:
    """Label Studio exports YOLO with `notes.json`."""
    yolo_folder(tmp_path)
    (tmp_path / "notes.json").write_text(json.dumps({"categories": [], "info": {}}))
    assert isinstance(open_dataset(tmp_path), YoloDataset)


def test_what_is_written_anew_is_opened_anew(tmp_path: Path) -> None:
    """The app keeps a data set open until its annotations change, also when a label file is edited in its place."""
    voc, yolo = voc_folder(tmp_path / "v"), yolo_folder(tmp_path / "y")
    sources = [voc, splits_of(voc)["val"], yolo, yolo / "data.yaml", splits_of(yolo)["val"]]
    before = [annotations_written(str(source)) for source in sources]
    assert before == [annotations_written(str(source)) for source in sources]
    voc_file(voc / "Annotations" / "c.xml", voc_object("ant", (2, 2, 33, 22)))
    labels(yolo / "labels" / "val" / "c.txt", "1 0.5 0.5 0.25 0.125")
    after = [annotations_written(str(source)) for source in sources]
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert annotations_written("shapes:3") == ""


def test_the_app_shows_an_image_of_each_kind(tmp_path: Path) -> None:
    for source in (voc_folder(tmp_path / "v"), yolo_folder(tmp_path / "y")):
        choice = item_choice(open_dataset(source), str(source), 0)
        assert choice.annotations is not None
        assert len(choice.annotations.truth) == 2
        assert choice.name in ("a.jpg", "a.png")


def test_a_data_set_travels_to_a_worker(tmp_path: Path) -> None:
    """Data loaders send it to processes of their own."""
    for source in (
        voc_folder(tmp_path / "v"),
        yolo_folder(tmp_path / "y"),
        coco_folder(tmp_path / "c", THINGS),
    ):
        dataset = open_dataset(source)
        again = pickle.loads(pickle.dumps(dataset))
        assert again.categories == dataset.categories
        assert torch.equal(again[0][1]["boxes"], dataset[0][1]["boxes"])


def test_all_mistakes_of_a_coco_file_are_told_at_once(tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    wrong = [(1, 2, nan, 4), (1, 2, 3, inf), (1, 2, 3, 4), (1, 2, 0, 4), (1, 2, 1e39, 4), (1e8, 2, 0.1, 4)]
    with pytest.raises(ValueError, match=r"annotations\.json: 5 mistakes: ") as caught:
        open_dataset(coco_folder(tmp_path, {"a.png": wrong}))
    said = str(caught.value)
    assert all(f"annotation {number} has the box" in said for number in (1, 2, 4))
    assert said.endswith("; and 2 more")
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(ValueError, match=r"the file a\.png of image 1 is missing"):
        CocoDataset(coco_folder(tmp_path / "again", {"a.png": []}), images=tmp_path / "images")
