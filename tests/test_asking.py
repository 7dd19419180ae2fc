"""In the app: what a checkpoint does not say can be said beside it; weights are fetched before one's eyes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest
from support.app import APP, calm, counts, open_app, said
from support.checkpoints import MOBILE, default_pyramid, mobile
from support.published import published, published_bytes, small_coco_state

from detector import capture
from detector.data.images import read_image
from detector.models.zoo import load_detector
from viz_app.bundled import sample_images_folder

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture(scope="module")
def fine_tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training script of today leaves behind: a state dict, and no word beside it."""
    path = tmp_path_factory.mktemp("runs") / "fine_tuned.pth"
    torch.save(mobile().state_dict(), path)
    return path


def field(elements: Any, name: str) -> Any:
    return next(one for one in elements if str(one.key).startswith(f"words.{name}@"))


def form_is_there(app: AppTest) -> bool:
    return any(str(one.key).startswith("words.") for one in app.text_area)


def load_again(app: AppTest) -> AppTest:
    next(button for button in app.button if button.label == "Load again").click()
    return calm(app.run())


def open_path(app: AppTest, path: Path) -> AppTest:
    app.sidebar.selectbox(key="model").set_value("checkpoint file")
    calm(app.run())
    app.sidebar.text_input(key="path").set_value(str(path))
    return calm(app.run())


def categories_shown(app: AppTest) -> set[str]:
    """Of the detections in the table of the home page."""
    tables = [table.value for table in app.dataframe]
    return {str(name) for table in tables if "category" in table for name in table["category"]}


def test_a_fine_tuned_state_dict_is_loaded_by_filling_in_a_form(fine_tuned: Path) -> None:
    app = open_app()
    assert not form_is_there(app)
    before = counts(app)
    open_path(app, fine_tuned)
    assert "architecture=" in said(app)
    assert counts(app) == before, "the scene stays while something is open"

    field(app.selectbox, "architecture").set_value(MOBILE)
    field(app.text_area, "categories").set_value("disc, star")
    field(app.number_input, "min_size").set_value(200)
    field(app.number_input, "max_size").set_value(100)
    load_again(app)
    assert "shorter side is 200" in said(app)
    field(app.number_input, "min_size").set_value(64)
    field(app.number_input, "max_size").set_value(96)
    load_again(app)
    assert "2 category names for a model with 5 class scores" in said(app)
    assert "shorter side" not in said(app)
    assert field(app.text_area, "categories").value == "disc, star"

    field(app.text_area, "categories").set_value("disc\nstar\nring\ncross")
    load_again(app)
    assert said(app) == ""
    detector = load_detector(
        fine_tuned,
        architecture=MOBILE,
        min_size=64,
        max_size=96,
        categories=["disc", "star", "ring", "cross"],
    )
    trace = capture(detector, read_image(sample_images_folder() / app.query_params["image"]))
    assert counts(app)["anchors"] == f"{len(trace.rpn.anchors):,}"
    assert counts(app)["detections"] == f"{len(trace.detections.boxes):,}"

    app.sidebar.selectbox(key="model").set_value("shapes")
    calm(app.run())
    assert counts(app) == before
    assert not form_is_there(app)
    open_path(app, fine_tuned)
    assert said(app) == "", "what was said of a file is remembered"
    assert counts(app)["anchors"] == f"{len(trace.rpn.anchors):,}"


def test_names_and_anchors_of_an_uploaded_checkpoint() -> None:
    buffer = io.BytesIO()
    # Every RoI is taken for the first category.
    first = {"roi_heads.box_predictor.cls_score.bias": torch.tensor([0.0, 5.0, 0.0])}
    torch.save(default_pyramid().state_dict() | first, buffer)
    app = open_app()
    app.sidebar.selectbox(key="model").set_value("uploaded checkpoint")
    calm(app.run())
    app.file_uploader(key="checkpoint").set_value(("mine.pth", buffer.getvalue(), "application/octet-stream"))
    calm(app.run())
    assert said(app) == ""
    anchors = counts(app)["anchors"]
    assert categories_shown(app) == {"category 1"}

    field(app.file_uploader, "names").set_value(("names.txt", b"disc\nstar\n", "text/plain"))
    load_again(app)
    assert said(app) == ""
    assert categories_shown(app) == {"disc"}

    field(app.text_input, "anchor_sizes").set_value("8, 16; 24")
    load_again(app)
    assert "anchor_sizes has 2 levels; pyramid has 3" in said(app)
    field(app.text_input, "anchor_sizes").set_value("large")
    load_again(app)
    assert "'large' was given; anchor sizes are numbers of pixels" in said(app)
    field(app.text_input, "anchor_sizes").set_value("20, 25; 40, 50; 80, 100")
    load_again(app)
    assert said(app) == ""
    assert counts(app)["anchors"] == anchors


def test_a_file_of_ones_own_is_asked_nothing() -> None:
    app = open_path(open_app(), APP.parent.parent / "detector" / "models" / "weights" / "shapes.safetensors")
    assert said(app) == ""
    assert not form_is_there(app)


def test_weights_are_fetched_before_the_detector_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app()
    with published(monkeypatch, tmp_path, b"log in first", name="small-0123abcd.pth"):
        app.sidebar.selectbox(key="model").set_value(MOBILE)
        calm(app.run())
        assert "small-0123abcd.pth is another file" in said(app)
    with published(monkeypatch, tmp_path, published_bytes(small_coco_state())) as cached:
        app.sidebar.selectbox(key="model").set_value("shapes")
        calm(app.run())
        app.sidebar.selectbox(key="model").set_value(MOBILE)
        calm(app.run())
        assert said(app) == ""
        assert cached.exists()
    assert app.query_params["weights"] == "DEFAULT"
    assert app.get("progress") == [], "the bar is gone when the weights are there"
