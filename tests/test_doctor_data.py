"""The doctor's look at data sets: every mistake by its name, file and annotation, and none where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from detector.data import CocoDataset, ShapesDataset, write_coco
from detector.judging.doctor import examine
from detector.judging.findings import Report, Severity

Document = dict[str, Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six sound scenes."""
    folder = tmp_path_factory.mktemp("sound") / "coco"
    write_coco(ShapesDataset(6, seed=3, size=96), folder)
    return folder


@pytest.fixture
def broken(tmp_path: Path, written: Path) -> Callable[..., Path]:
    """A copy of the annotations after a change, beside the same images."""

    def write(change: Callable[[Document], None]) -> Path:
        document = json.loads((written / "annotations.json").read_text())
        change(document)
        (tmp_path / "annotations.json").write_text(json.dumps(document))
        if not (tmp_path / "images").exists():
            (tmp_path / "images").symlink_to(written / "images")
        return tmp_path

    return write


def _annotation(position: int, **values: Any) -> Callable[[Document], None]:
    return lambda document: document["annotations"][position].update(values)


def _each(change: Callable[[dict[str, Any]], None]) -> Callable[[Document], None]:
    def every(document: Document) -> None:
        for annotation in document["annotations"]:
            change(annotation)

    return every


def _box(change: Callable[[list[float]], list[float]]) -> Callable[[Document], None]:
    return _each(lambda annotation: annotation.update(bbox=change(annotation["bbox"])))


def _copied(**values: Any) -> Callable[[Document], None]:
    return lambda document: document["annotations"].append(
        {**document["annotations"][2], "id": 900, **values}
    )


def _scaled_images(document: Document) -> None:
    for image in document["images"]:
        image["width"], image["height"] = 192, 192
    _box(lambda box: [value * 2 for value in box])(document)


def _drop_rings(document: Document) -> None:
    document["annotations"] = [a for a in document["annotations"] if a["category_id"] != 6]


def _images(position: int, **values: Any) -> Callable[[Document], None]:
    return lambda document: document["images"][position].update(values)


MISTAKES: dict[str, tuple[Callable[[Document], None], str, Severity, str | None, int | None]] = {
    "no area": (_annotation(1, bbox=[5, 5, 0, 9]), "degenerate_box", Severity.ERROR, "scene_00000.png", 2),
    "negative": (_annotation(1, bbox=[9, 9, -4, 4]), "degenerate_box", Severity.ERROR, "scene_00000.png", 2),
    "under a pixel": (_annotation(1, bbox=[5, 5, 0.5, 9]), "tiny_box", Severity.WARNING, "scene_00000.png", 2),
    "outside": (_annotation(0, bbox=[200, 5, 9, 9]), "box_outside", Severity.ERROR, "scene_00000.png", 1),
    "sticks out": (_annotation(0, bbox=[80, 5, 30, 9]), "box_sticks_out", Severity.WARNING, "scene_00000.png", 1),
    "twice": (_copied(), "box_twice", Severity.WARNING, None, 900),
    "two labels": (_copied(category_id=5), "two_labels", Severity.WARNING, None, 900),
    "NaN": (_annotation(1, bbox=[1, 2, float("nan"), 4]), "annotation_entry", Severity.ERROR, "scene_00000.png", 2),
    "three numbers": (_annotation(1, bbox=[1, 2, 3]), "annotation_entry", Severity.ERROR, "scene_00000.png", 2),
    "odd crowd": (_annotation(1, iscrowd="yes"), "annotation_entry", Severity.ERROR, "scene_00000.png", 2),
    "id twice": (_annotation(1, id=1), "annotation_id_twice", Severity.ERROR, "scene_00000.png", 1),
    "unknown image": (_annotation(1, image_id=77), "annotation_without_image", Severity.ERROR, None, 2),
    "label 0": (_annotation(1, category_id=0), "label_zero", Severity.ERROR, "scene_00000.png", 2),
    "negative label": (_annotation(1, category_id=-3), "label_negative", Severity.ERROR, "scene_00000.png", 2),
    "label too high": (_annotation(1, category_id=7), "label_unknown", Severity.ERROR, "scene_00000.png", 2),
    "from 0": (
        _each(lambda a: a.update(category_id=a["category_id"] - 1)), "labels_off_by_one", Severity.ERROR,
        "scene_00000.png", 1,
    ),
    "from 2": (
        _each(lambda a: a.update(category_id=a["category_id"] + 1)), "labels_off_by_one", Severity.ERROR,
        "scene_00000.png", 1,
    ),
    "corners": (
        _box(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]), "box_format", Severity.ERROR, None, None,
    ),
    "centres": (
        _box(lambda b: [b[0] + b[2] / 2, b[1] + b[3] / 2, b[2], b[3]]), "box_format", Severity.ERROR, None, None,
    ),
    "shares": (_box(lambda b: [v / 96 for v in b]), "box_frame", Severity.ERROR, "scene_00000.png", 1),
    "twice as large": (_box(lambda b: [v * 2 for v in b]), "box_frame", Severity.ERROR, None, None),
    "a third larger": (_box(lambda b: [v * 4 / 3 for v in b]), "box_frame", Severity.ERROR, None, None),
    "half as large": (_box(lambda b: [v / 2 for v in b]), "box_frame", Severity.ERROR, "scene_00000.png", 1),
    "sizes of other images": (_scaled_images, "size_differs", Severity.ERROR, "scene_00000.png", None),
    "missing file": (_images(1, file_name="x.png"), "image_missing", Severity.ERROR, "x.png", None),
    "outside path": (_images(1, file_name="../x.png"), "image_entry", Severity.ERROR, None, None),
    "image id twice": (_images(1, id=1), "image_entry", Severity.ERROR, "scene_00001.png", None),
    "same file twice": (
        _images(1, file_name="scene_00000.png"), "image_twice", Severity.WARNING, "scene_00000.png", None,
    ),
    "never seen": (_drop_rings, "class_never_seen", Severity.WARNING, None, None),
    "background listed": (
        lambda d: d["categories"].append({"id": 0, "name": "background"}), "background_listed", Severity.WARNING,
        None, None,
    ),
    "name twice": (
        lambda d: d["categories"].append({"id": 9, "name": "ring"}), "category_twice", Severity.WARNING, None, None,
    ),
    "category without a name": (
        lambda d: d["categories"][0].pop("name"), "categories", Severity.ERROR, None, None,
    ),
    "no annotations": (lambda d: d.update(annotations=[]), "empty", Severity.ERROR, None, None),
    "no images": (lambda d: d.update(images=[], annotations=[]), "empty", Severity.ERROR, None, None),
}  # fmt: skip


def test_a_sound_data_set_has_no_findings(written: Path) -> None:
    assert examine(written).findings == ()
    assert examine(CocoDataset(written)).findings == ()


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_named_with_its_place(name: str, broken: Callable[..., Path]) -> None:
    change, check, severity, image, annotation = MISTAKES[name]
    report = examine(broken(change))
    found = report.find(check)
    assert found is not None, [(finding.check, finding.message) for finding in report.findings]
    assert found.severity is severity
    assert found.remedy.endswith(".")
    assert image in (None, found.image)
    assert annotation in (None, found.annotation)
    assert report.findings[0].severity is (Severity.ERROR if report.errors else Severity.WARNING)


def test_all_mistakes_are_named_at_once(broken: Callable[..., Path]) -> None:
    def spoil(document: Document) -> None:
        for name in ("no area", "unknown image", "missing file"):
            MISTAKES[name][0](document)
        _annotation(4, category_id=99)(document)
        _annotation(5, bbox="?")(document)

    checks = {finding.check for finding in examine(broken(spoil)).errors}
    assert checks >= {"annotation_without_image", "image_missing", "label_unknown", "annotation_entry"}


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    write_coco(ShapesDataset(2, seed=3, size=96), tmp_path / "coco")
    (tmp_path / "coco" / "images" / "scene_00001.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    found = examine(tmp_path / "coco").find("image_unreadable")
    assert found is not None
    assert (found.image, found.count) == ("scene_00001.png", 1)
    assert str(tmp_path) not in found.message


def _turned(folder: Path, orientation: int, said: tuple[int, int] | None, box: list[float]) -> Report:
    """One photograph of 120x80 stored pixels with an EXIF flag."""
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (120, 80), (9, 99, 199)).save(folder / "a.jpg", exif=exif)
    size = {} if said is None else {"width": said[0], "height": said[1]}
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", **size}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box}],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (folder / "annotations.json").write_text(json.dumps(document))
    return examine(folder)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_that_ignore_a_turned_image_are_told_by_size_or_by_place(
    tmp_path: Path, orientation: int
) -> None:
    ignoring = _turned(tmp_path / "a", orientation, (120, 80), [5, 5, 30, 30])
    assert [finding.check for finding in ignoring.errors] == ["orientation"]
    by_place = _turned(tmp_path / "b", orientation, None, [85, 5, 30, 30])
    assert [finding.check for finding in by_place.errors] == ["orientation"]
    obeying = _turned(tmp_path / "c", orientation, (80, 120), [5, 85, 30, 30])
    assert obeying.findings == ()
    assert _turned(tmp_path / "d", orientation, None, [5, 85, 30, 30]).findings == ()


@pytest.mark.parametrize(("orientation", "check"), [(1, None), (3, "orientation_unclear"), (99, None)])
def test_an_orientation_that_leaves_the_size_alone_is_a_question(
    tmp_path: Path, orientation: int, check: str | None
) -> None:
    report = _turned(tmp_path / "a", orientation, (120, 80), [5, 5, 30, 30])
    assert [finding.check for finding in report.findings] == ([] if check is None else [check])


def test_images_in_folders_below_are_found_where_the_open_data_set_found_them(
    written: Path, tmp_path: Path
) -> None:
    document = json.loads((written / "annotations.json").read_text())
    for image in document["images"]:
        image["file_name"] = f"train/{image['file_name']}"
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "annotations.json").write_text(json.dumps(document))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "train").symlink_to(written / "images")
    dataset = CocoDataset(tmp_path / "labels", images=tmp_path / "photos")
    assert examine(dataset).findings == ()


def test_images_of_two_splits_are_found_whatever_they_are_called(written: Path, tmp_path: Path) -> None:
    write_coco(ShapesDataset(8, seed=3, size=96), tmp_path / "other", indices=[7, 4, 1], names="x{:02d}.png")
    found = examine(written, others=[tmp_path / "other"]).find("leak")
    assert found is not None
    assert (found.count, found.severity) == (2, Severity.ERROR)
    assert [place.image for place in found.places] == ["scene_00001.png", "scene_00004.png"]
    assert "scene_00001.png as x02.png" in found.message
    assert examine(written, others=[ShapesDataset(3, seed=4, size=96)]).find("leak") is None
    drawn = examine(written, others=[ShapesDataset(6, seed=3, size=96)]).find("leak")
    assert drawn is not None
    assert drawn.count == 6


def test_a_limit_looks_at_the_first_images_and_their_objects_only(broken: Callable[..., Path]) -> None:
    seen = []
    report = examine(
        broken(_annotation(-1, bbox=[5, 5, 0, 9])),
        limit=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report.images == 2
    assert report.errors == ()
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("data", "kind"), [("no/such/folder", ValueError), (3, TypeError), (iter(()), TypeError)]
)
def test_what_is_no_data_set_is_refused(data: object, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        examine(data)
    with pytest.raises(ValueError, match="limit is 0"):
        examine("shapes:2", limit=0)
