"""The Data page: samples by class, augmentation that is kept, statistics, uploads, splits, and mistakes."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from support.app import calm, open_app, said
from support.datasets import coco_folder, voc_folder, yolo_folder

from detector.data import open_dataset
from detector.data.augmentation import Augmentation
from detector.judging.doctor import examine
from detector.models.zoo import load_detector
from viz_app.jobs import workspace
from viz_app.jobs.dataset_uploads import folder_name

pytestmark = pytest.mark.usefixtures("fresh_caches")

BOXES = {"a.png": [(1, 2, 10, 5), (20, 10, 12, 18)], "b.png": [], "c.png": [(0, 0, 4, 4)]}


@pytest.fixture(autouse=True)
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the workspace that holds the data sets; it is not there yet."""
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path / "workspace"))
    return workspace.datasets_folder()


def shown(app: AppTest) -> str:
    texts = [element.value for element in (*app.main.markdown, *app.main.caption, *app.main.info)]
    return re.sub(r"\\(.)", r"\1", " ".join(texts))


def cards(app: AppTest) -> list[str]:
    """What a screen reader says of each card."""
    found = [element for element in app.get("bidi_component") if "data.cards" in element.proto.id]
    return [] if not found else re.findall(r'aria-label="([^"]*)"', json.loads(found[0].proto.json))


def zipped(folder: Path, *, below: str = "mine/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"{below}{path.relative_to(folder)}")
    return buffer.getvalue()


def upload(app: AppTest, name: str, data: bytes) -> AppTest:
    place = next(one for one in app.main.file_uploader if str(one.key).startswith("data.zip"))
    place.set_value((name, data, "application/zip"))
    return calm(app.run())


def test_samples_are_shown_by_class_and_lead_to_inspect(tmp_path: Path) -> None:
    folder = str(coco_folder(tmp_path / "set", BOXES))
    app = open_app("data", data=folder)
    assert "3 images, 1 category, 3 objects, 1 image without any." in shown(app)
    assert cards(app) == [
        "a.png, 2 thing: open it in Inspect", "b.png, no object: open it in Inspect",
        "c.png, 1 thing: open it in Inspect",
    ]  # fmt: skip
    assert "**100.0% of the objects fit an anchor**" in shown(app)
    assert "The detector takes every image as 256 × 192 px." in shown(app)
    calm(app.main.selectbox(key="data.show").set_value("without").run())
    assert cards(app) == ["b.png, no object: open it in Inspect"] and "category" not in app.query_params
    calm(app.main.selectbox(key="data.show").set_value("category:thing").run())
    assert len(cards(app)) == 2 and app.query_params["category"] == "thing"
    calm(app.main.selectbox(key="data.open").set_value(2).run())
    assert app.query_params["image"] == f"{folder}/2" and said(app) == ""
    assert app.sidebar.selectbox(key="image").value == f"{folder}/2"


def test_the_augmentation_is_kept_for_the_train_panel(tmp_path: Path) -> None:
    app = open_app("data", data=str(coco_folder(tmp_path / "set", BOXES)))
    assert "in the first 5 epochs of a run with seed 0" in shown(app)
    calm(app.main.slider(key="data.augment.scale").set_value((3.0, 3.0)).run())
    calm(app.main.slider(key="data.augment.crop").set_value(1.0).run())
    kept = app.session_state["boxscope.data augmentation"]
    assert kept == Augmentation(flip=0.5, scale=(3.0, 3.0), crop=1.0)
    assert "boxes were dropped" in shown(app) and "dropped]" in shown(app)
    calm(app.main.button(key="data.redraw").click().run())
    assert "of a run with seed 1" in shown(app)
    calm(app.main.segmented_control(key="data.augment.preset").set_value("off").run())
    assert app.session_state["boxscope.data augmentation"] == Augmentation(flip=0.0)
    assert "every box was kept" in shown(app)


def test_an_uploaded_zip_becomes_a_data_set_of_the_session_and_is_looked_at(
    tmp_path: Path, datasets: Path
) -> None:
    data = zipped(coco_folder(tmp_path / "set", BOXES))
    app = upload(open_app("data", data="shapes:2:1"), "my cats.zip", data)
    (session,) = (datasets.parent / "sessions").glob("*/datasets")
    assert said(app) == "" and app.query_params["data"] == str(session / "my_cats" / "mine")
    assert "3 images, 1 category" in shown(app) and len(cards(app)) == 3
    upload(app, "my cats.zip", data)
    assert app.query_params["data"] == str(session / "my_cats_2" / "mine")
    assert sorted(path.name for path in session.iterdir()) == ["my_cats", "my_cats_2"]
    assert len(open_dataset(session / "my_cats" / "mine")) == 3 and not datasets.exists()
    offered = [button.label for button in app.main.button if str(button.key).startswith("dataset.offer")]
    assert offered[-2:] == [r"my cats.zip, uploaded"] * 2


def test_a_refused_zip_leaves_nothing_behind_and_says_why(tmp_path: Path, datasets: Path) -> None:
    app = open_app("data", data="shapes:2:1")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../evil.txt", "x")
    upload(app, "evil.zip", buffer.getvalue())
    assert "evil.zip was not taken" in said(app) and "leads out of the data set's folder" in said(app)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").write_text("nothing to see")
    upload(app, "notes.zip", zipped(tmp_path / "notes"))
    assert "notes.zip was not taken" in said(app) and "holds no COCO annotations" in said(app)
    assert str(tmp_path) not in said(app), "the folder it was in is gone"
    assert not datasets.exists() or list(datasets.iterdir()) == []
    assert app.query_params["data"] == "shapes:2:1", "what was looked at stays"


def test_an_upload_with_mistakes_is_kept_and_the_doctor_names_them(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "set", {**BOXES, "d.png": [(3, 3, 0, 9)]})
    app = upload(open_app("data", data="shapes:2:1"), "broken.zip", zipped(folder))
    assert "no area" in said(app) and cards(app) == []
    calm(app.main.button(key="data.examine").click().run())
    assert "1 of 4 boxes have no area" in shown(app) and "The doctor" in [
        one.value for one in app.main.subheader
    ]


def test_splits_are_chosen_and_remembered(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "voc")
    app = open_app("data", data=str(folder))
    assert "3 images" in shown(app)
    control = app.main.segmented_control(key="data.split")
    assert list(control.options) == ["whole", "train", "val"] and control.value == "whole"
    calm(control.set_value("val").run())
    assert app.main.segmented_control(key="data.split").value == "val" and "1 image, " in shown(app)
    calm(app.main.segmented_control(key="data.split").set_value("whole").run())
    assert app.query_params["data"] == str(folder) and "3 images" in shown(app)


def test_a_folder_with_several_annotation_files_asks_for_one(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "set", BOXES)
    text = (folder / "annotations.json").read_text()
    (folder / "annotations.json").rename(folder / "train.json")
    (folder / "val.json").write_text(text)
    app = open_app("data", data=str(folder))
    assert "choose one of them" in shown(app) and said(app) == "" and cards(app) == []
    calm(app.main.segmented_control(key="data.split").set_value("val").run())
    assert len(cards(app)) == 3 and app.query_params["data"] == str(folder / "val.json")


def test_it_opens_without_a_detector_and_says_what_it_cannot_lay_over(tmp_path: Path) -> None:
    def page() -> None:
        from viz_app.app_pages import data

        data.render(None)

    app = AppTest.from_function(page, default_timeout=120)
    app.query_params["data"] = str(yolo_folder(tmp_path / "yolo"))
    app.run()
    assert not app.exception
    assert "Choose a detector in the sidebar" in shown(
        app
    ) and "Sizes are those of the image files." in shown(app)
    calm(app.main.text_input(key="dataset.source").set_value(str(tmp_path / "none")).run())
    assert "there is no data set" in said(app)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("cats.zip", "cats"),
        ("../../etc/x y.zip", "x_y"),
        ("…zip", "zip"),
        (".zip", "zip"),
        ("a" * 99 + ".zip", "a" * 60),
    ],
)
def test_a_folder_is_called_after_the_zip_file(name: str, folder: str) -> None:
    assert folder_name(name) == folder and workspace.is_name(folder)


def test_what_the_doctor_measured_on_the_grid_stands_beside_the_centred_share(tmp_path: Path) -> None:
    app = open_app("data", data=str(coco_folder(tmp_path / "set", BOXES)))
    assert "it may be fewer: the doctor measures that" in shown(app)
    calm(app.main.button(key="data.examine").click().run())
    fits = examine(tmp_path / "set", load_detector("shapes")).fits
    assert fits is not None
    share = float((fits.best_iou >= 0.5).double().mean())
    assert f"On the grid, where no anchor need be centred, {share:.1%} do." in shown(app)
