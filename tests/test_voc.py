"""Reading Pascal VOC folders: what torchvision's reader sees in our frame, and one sentence for all mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.datasets import picture, voc_file, voc_folder, voc_object
from torchvision.datasets import VOCDetection

from detector.data import VocDataset, ground_truth_of


def test_a_folder_is_read(tmp_path: Path) -> None:
    dataset = VocDataset(voc_folder(tmp_path))
    assert dataset.categories == ("background", "ant", "cat", "dog")
    assert len(dataset) == 3
    pixels, target = dataset[0]
    assert pixels.shape == (3, 30, 40)
    # The first box covers the whole image: from 0 up to, but not, 40 and 30.
    assert target["boxes"].tolist() == [[0, 0, 40, 30], [2, 4, 12, 14]]
    assert target["boxes"].canvas_size == (30, 40)
    assert target["labels"].tolist() == [3, 2]
    assert target["ids"].tolist() == [1, 2]
    assert dataset.labels_used == {1, 2, 3}
    assert dataset.image_path(1).name == "b.jpg"
    assert torch.equal(dataset.truth(0).boxes, target["boxes"].as_subclass(torch.Tensor))
    assert dataset.image_size(2) == (30, 40)


def test_boxes_are_those_of_another_reader_in_our_frame(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "VOCdevkit" / "VOC2007")
    theirs = VOCDetection(str(tmp_path), year="2007", image_set="train")
    ours = VocDataset(folder, "train")
    assert len(theirs) == len(ours) == 2
    for (image, content), (pixels, target) in zip(theirs, ours, strict=True):
        assert image.size == (pixels.shape[2], pixels.shape[1])
        found = content["annotation"].get("object", [])
        assert len(found) == len(target["labels"])
        for thing, box, label in zip(found, target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            corners = [int(thing["bndbox"][key]) for key in ("xmin", "ymin", "xmax", "ymax")]
            # VOC counts pixels from 1 with the last included: as many pixels, one further left and up.
            assert [box[0] + 1, box[1] + 1, box[2], box[3]] == corners
            assert (box[2] - box[0]) == corners[2] - corners[0] + 1
            assert ours.categories[label] == thing["name"]


def test_a_difficult_object_is_ignored_and_kept(tmp_path: Path) -> None:
    dataset = VocDataset(voc_folder(tmp_path), "val")
    target = dataset[0][1]
    assert target["boxes"].tolist() == [[1, 1, 2, 2]], "one pixel has an area"
    assert target["difficult"].tolist() == target["iscrowd"].tolist() == [True]
    truth = ground_truth_of(target)
    assert truth.crowd.all()
    assert len(truth.as_target()["boxes"]) == 0, "nothing to learn"


def test_the_splits_of_a_folder_agree_on_categories(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path)
    train, val = VocDataset(folder, "train"), VocDataset(folder, "val")
    assert train.categories == val.categories == ("background", "ant", "cat", "dog")
    assert (len(train), len(val)) == (2, 1)
    assert [path.name for path in map(train.image_path, range(2))] == ["a.jpg", "b.jpg"]


def test_images_without_annotations_stay(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path)
    picture(folder / "JPEGImages" / "d.png")
    dataset = VocDataset(folder)
    assert [len(dataset.truth(index)) for index in range(len(dataset))] == [2, 0, 1, 0]
    assert dataset[3][1]["boxes"].shape == (0, 4)
    assert dataset[3][1]["difficult"].dtype == torch.bool


def test_a_flat_folder_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "x.png")
    voc_file(
        tmp_path / "x.xml", voc_object("cat", (1.5, 2.25, 10.5, 11)), image="C:\\photos\\x.png", size=None
    )
    dataset = VocDataset(tmp_path)
    assert dataset[0][1]["boxes"].tolist() == [[0.5, 1.25, 10.5, 11]]


def test_an_image_is_shown_upright(tmp_path: Path) -> None:
    picture(tmp_path / "x.jpg", (40, 30), orientation=6)
    voc_file(tmp_path / "x.xml", voc_object("cat", (1, 1, 30, 40)), size=(30, 40))
    dataset = VocDataset(tmp_path)
    assert dataset[0][0].shape == (3, 40, 30)
    voc_file(tmp_path / "x.xml", voc_object("cat", (1, 1, 30, 30)), size=(40, 30))
    with pytest.raises(ValueError, match=r"x\.xml: the image is said to be 40x30, but x\.jpg is 30x40"):
        VocDataset(tmp_path)[0]


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<annotation><object><name>&b;</name></object></annotation>"
)
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><annotation><filename>&x;</filename></annotation>'
HALF = "<annotation><size><width>0.5</width><height>3</height></size></annotation>"
MISTAKES = {
    "NaN": (voc_object("cat", ("nan", 1, 2, 3)), r"b\.xml: object 1 \(cat\) has the box xmin nan, .* not finite"),
    "infinity": (voc_object("cat", (1, 1, "inf", 3)), r"object 1 \(cat\) .* is not finite"),
    "beyond float32": (voc_object("cat", (1, 1, "1e39", 3)), r"object 1 \(cat\) .* is not finite"),
    "one float32": (voc_object("cat", (1e7, 1, 1e7 - 0.9, 9)), "has no area"),
    "far away": (voc_object("cat", (1, 1, 1e9, 9)), "outside of any image"),
    "turned over": (voc_object("cat", (9, 1, 2, 3)), "has no area"),
    "no number": (voc_object("cat", ("one", 1, 2, 3)), "object 1 holds 'one' where a number is expected"),
    "empty number": (voc_object("cat", ("", 1, 2, 3)), "object 1 holds '' where a number"),
    "no name": (voc_object("", (1, 1, 2, 3)), "object 1 has no name"),
    "odd flag": (voc_object("cat", (1, 1, 2, 3), "perhaps"), "difficult 'perhaps'; expected 0 or 1"),
    "no box": ("<object><name>cat</name></object>", r"object 1 \(cat\) has no <bndbox>"),
    "half a box": ("<object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object>", "has no ymin"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(tmp_path: Path, name: str) -> None:
    written, message = MISTAKES[name]
    folder = voc_folder(tmp_path)
    voc_file(folder / "Annotations" / "b.xml", written)
    with pytest.raises(ValueError, match=message) as caught:
        VocDataset(folder)
    assert "Annotations/b.xml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "defines entities"), (OUTSIDE, "defines entities"), ("", "not XML"), ("<annotation>", "not XML"),
        ("<html/>", "root is <html>"), (HALF, "size is said to be 0.5 x 3"),
    ],
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    folder = voc_folder(tmp_path)
    (folder / "Annotations" / "b.xml").write_text(content)
    with pytest.raises(ValueError, match=message):
        VocDataset(folder)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path)
    wrong = voc_object("cat", (9, 1, 2, 3))
    voc_file(folder / "Annotations" / "a.xml", voc_object("cat", (1, 1, 2, 3)), wrong, wrong)
    voc_file(folder / "Annotations" / "c.xml", wrong)
    (folder / "JPEGImages" / "b.jpg").unlink()
    with pytest.raises(ValueError, match=r"4 mistakes: .*; and 1 more$") as caught:
        VocDataset(folder)
    for named in (r"Annotations/a.xml: object 2", "object 3", "Annotations/b.xml: there is no image b"):
        assert named in str(caught.value)
    with pytest.raises(ValueError, match=r"Annotations/c\.xml: object 1 \(cat\)"):
        VocDataset(folder, "val")


@pytest.mark.parametrize(
    ("content", "message"),
    [("a\nz\n", "there is no image z"), ("a\na\n", "line 2 names a again, which line 1 did"),
     ("../a\n", "leads out of the folder"), ("a 1\nb -1\n", "a list for one class")],
)  # fmt: skip
def test_a_list_with_mistakes_is_refused(tmp_path: Path, content: str, message: str) -> None:
    folder = voc_folder(tmp_path)
    (folder / "ImageSets" / "Main" / "odd.txt").write_text(content)
    with pytest.raises(ValueError, match=message):
        VocDataset(folder, "odd")


def test_what_is_no_voc_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no VOC annotations; expected XML files"):
        VocDataset(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        VocDataset(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no split 'test' in ImageSets/Main; there are train, val"):
        VocDataset(voc_folder(tmp_path), "test")


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_is_an_index_error(tmp_path: Path, index: int) -> None:
    with pytest.raises(IndexError):
        VocDataset(voc_folder(tmp_path))[index]
