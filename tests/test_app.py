"""The app as a person uses it: every page, bundled and uploaded images, thresholds, links, and bad input."""

import io
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from detector import Detector, Thresholds
from detector.data.images import read_image
from detector.models.zoo import load_detector
from viz_app.bundled import sample_images_folder
from viz_app.scenes import ImageChoice, bundled_scenes

APP = Path(__file__).parent.parent / "viz_app" / "app.py"
PAGES = ("full_network", "rpn", "fast_rcnn")
COUNT = re.compile(r'data-stage="(\w+)".*?class="count[^"]*">([^<]*)<')


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """AppTest keeps what `cache_resource` holds from one test to the next."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def shapes() -> Detector:
    return load_detector("shapes")


@pytest.fixture(scope="module")
def scenes() -> tuple[ImageChoice, ...]:
    return bundled_scenes()


def open_app(page: str = "full_network", **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=300)
    for name, value in query.items():
        app.query_params[name] = value
    if page != "full_network":
        app.switch_page(f"app_pages/{page}.py")
    return calm(app.run())


def calm(app: AppTest) -> AppTest:
    """No stack trace anywhere."""
    assert [error.value for error in app.exception] == []
    return app


def strip(app: AppTest) -> str:
    found = [element for element in app.get("bidi_component") if "strip" in element.proto.id]
    assert len(found) == 1
    return json.loads(found[0].proto.json)


def counts(app: AppTest) -> dict[str, str]:
    return dict(COUNT.findall(strip(app)))


def said(app: AppTest) -> str:
    """All sentences in boxes, without Markdown's backslashes."""
    return " ".join(re.sub(r"\\(.)", r"\1", box.value) for box in (*app.error, *app.warning))


def slider(app: AppTest, field: str) -> object:
    return next(one for one in app.sidebar.slider if str(one.key).startswith(f"{field}@"))


def move(app: AppTest, **values: float) -> AppTest:
    for field, value in values.items():
        slider(app, field).set_value(value)  # type: ignore[attr-defined]
    return calm(app.run())


def png(seed: int = 0, size: tuple[int, int] = (90, 130)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader(key="uploads").set_value([(name, data, "image/png") for name, data in files])
    return calm(app.run())


def real_detections(detector: Detector, path: Path, thresholds: Thresholds) -> int:
    """How many the real model gives under these thresholds."""
    before = Thresholds.from_model(detector.model)
    thresholds.apply_to(detector.model)
    try:
        with torch.no_grad():
            return len(detector.model([read_image(path).tensor])[0]["labels"])
    finally:
        before.apply_to(detector.model)


def test_it_opens_on_a_bundled_image_on_which_an_object_is_lost(scenes: tuple[ImageChoice, ...]) -> None:
    app = open_app()
    assert app.query_params == {"model": "shapes", "image": scenes[0].key}
    assert 'class="reason"' in strip(app)
    objects = app.dataframe[0].value
    assert scenes[0].annotations is not None
    assert len(objects) == len(scenes[0].annotations.truth)
    assert any(words[0].startswith("lost at") for words in objects["verdict"])
    assert said(app) == ""


@pytest.mark.parametrize("place", PAGES)
@pytest.mark.parametrize("scene", [0, 5, 11])
def test_every_page_shows_a_bundled_scene(
    place: str, scene: int, scenes: tuple[ImageChoice, ...], shapes: Detector
) -> None:
    app = open_app(place, image=scenes[scene].key)
    path = sample_images_folder() / scenes[scene].key
    own = Thresholds.from_model(shapes.model)
    assert counts(app)["detections"] == f"{real_detections(shapes, path, own):,}"
    assert len(app.get("plotly_chart")) > 0
    assert said(app) == ""


@pytest.mark.parametrize("place", PAGES)
def test_every_page_shows_an_upload_without_ground_truth(place: str) -> None:
    app = upload(open_app(place), ("mine.png", png()))
    assert counts(app)["image"] == "130 × 90"
    assert 'class="line"' not in strip(app)
    assert "image" not in app.query_params, "a link cannot carry an upload"
    assert said(app) == ""


def test_several_uploads_are_offered_and_the_first_is_shown() -> None:
    app = upload(open_app(), ("wide.png", png(1, (64, 200))), ("tall.png", png(2, (180, 70))))
    assert counts(app)["image"] == "200 × 64"
    chooser = app.sidebar.selectbox(key="image")
    assert chooser.options[-2:] == ["wide.png", "tall.png"]
    chooser.select_index(len(chooser.options) - 1)
    assert counts(calm(app.run()))["image"] == "70 × 180"


def test_an_upload_that_is_taken_back_gives_way_to_a_bundled_scene(scenes: tuple[ImageChoice, ...]) -> None:
    app = upload(open_app(), ("mine.png", png()))
    app.file_uploader(key="uploads").set_value(None)
    calm(app.run())
    assert app.query_params["image"] == scenes[0].key


def test_what_is_no_image_is_named_and_the_scene_stays(scenes: tuple[ImageChoice, ...]) -> None:
    app = open_app(image=scenes[3].key)
    before = counts(app)
    upload(app, ("note_[x](y).png", b"not an image"), ("cut.png", png()[:200]))
    assert "note_[x](y).png: not an image of a known format" in said(app)
    assert "cut.png" in said(app)
    assert counts(app) == before
    assert app.query_params["image"] == scenes[3].key


@pytest.mark.parametrize("place", PAGES)
def test_a_moved_threshold_gives_what_the_model_would(
    place: str, scenes: tuple[ImageChoice, ...], shapes: Detector
) -> None:
    app = move(open_app(place), box_score=0.3, box_nms=0.8, rpn_nms=0.5, rpn_pre_nms_top_n=60)
    changed = Thresholds.from_model(shapes.model).replace(
        box_score=0.3, box_nms=0.8, rpn_nms=0.5, rpn_pre_nms_top_n=60
    )
    path = sample_images_folder() / scenes[0].key
    assert counts(app)["detections"] == f"{real_detections(shapes, path, changed):,}"
    assert app.query_params["box_score"] == "0.3"
    assert app.query_params["rpn_pre_nms_top_n"] == "60"


def test_reset_brings_the_models_own_thresholds_back() -> None:
    app = open_app()
    before, address = counts(app), dict(app.query_params)
    reset = app.sidebar.button(key="reset")
    assert reset.disabled
    move(app, box_score=0.9, rpn_post_nms_top_n=5)
    assert counts(app) != before
    app.sidebar.button(key="reset").click()
    calm(app.run())
    assert counts(app) == before
    assert app.query_params == address


@pytest.mark.parametrize("place", PAGES)
@pytest.mark.parametrize(
    "knobs", [{"box_score": 1.0}, {"rpn_score": 1.0}, {"box_score": 0.0, "box_nms": 1.0}]
)
def test_every_page_stands_the_ends_of_the_sliders(place: str, knobs: dict[str, float]) -> None:
    app = move(open_app(place), **knobs)
    nothing = 1.0 in (knobs.get("box_score"), knobs.get("rpn_score"))
    assert (counts(app)["detections"] == "0") == nothing
    if nothing and place == "full_network":
        assert any("No detection" in info.value for info in app.info)


def test_a_link_gives_the_same_view_to_somebody_else(scenes: tuple[ImageChoice, ...]) -> None:
    first = open_app(image=scenes[4].key)
    move(first, box_score=0.4, rpn_post_nms_top_n=20)
    second = open_app(**{name: str(value) for name, value in first.query_params.items()})
    assert second.query_params == first.query_params
    assert counts(second) == counts(first)
    assert said(second) == ""
    assert counts(open_app()) != counts(first)


def test_a_tampered_link_is_followed_as_far_as_it_goes(scenes: tuple[ImageChoice, ...]) -> None:
    app = open_app(
        image="../../etc/passwd",
        box_score="nan",
        rpn_nms="0.5",
        box_limit="-3",
        object="99999",
        evil="<script>",
    )
    for part in ("passwd", "box_score", "box_limit", "evil", "#99999"):
        assert part in said(app)
    assert app.query_params["image"] == scenes[0].key
    assert app.query_params["rpn_nms"] == "0.5"
    assert not {"box_score", "box_limit", "evil", "object"} & set(app.query_params)
    move(app, box_nms=0.6)
    assert said(app) == "", "once something is chosen by hand the link is history"


@pytest.mark.parametrize("model", ["/no/such/file.pth", "shapez", "__file__"])
def test_a_link_to_a_model_that_cannot_be_loaded_falls_back_to_the_bundled_one(model: str) -> None:
    app = open_app(model=str(APP) if model == "__file__" else model)
    assert len(app.error) == 1
    assert app.query_params["model"] == "shapes"
    assert int(counts(app)["proposals"]) > 0


def test_a_checkpoint_that_is_refused_leaves_the_scene_as_it_was(tmp_path: Path) -> None:
    app = move(open_app(), box_score=0.2)
    before = counts(app)
    broken = tmp_path / "broken_model.safetensors"
    broken.write_bytes(b"\x00" * 64)
    app.sidebar.selectbox(key="model").set_value("checkpoint file")
    assert counts(calm(app.run())).keys() == before.keys()
    app.sidebar.text_input(key="path").set_value(str(broken))
    calm(app.run())
    assert "broken_model.safetensors" in said(app)
    assert counts(app)["anchors"] == before["anchors"]
    app.sidebar.selectbox(key="model").set_value("shapes")
    calm(app.run())
    assert said(app) == ""


def test_an_uploaded_checkpoint_is_loaded_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    weights = (APP.parent.parent / "detector" / "models" / "weights" / "shapes.safetensors").read_bytes()
    app = open_app()
    before = counts(app)
    app.sidebar.selectbox(key="model").set_value("uploaded checkpoint")
    calm(app.run())
    app.file_uploader(key="checkpoint").set_value(("mine.safetensors", weights, "application/octet-stream"))
    calm(app.run())
    assert said(app) == ""
    assert counts(app) == before
    app.file_uploader(key="checkpoint").set_value(("bad.pth", b"PK\x03\x04junk", "application/octet-stream"))
    calm(app.run())
    assert "bad.pth" in said(app)
    assert str(tmp_path) not in said(app)
    assert counts(app)["detections"] == before["detections"]
    assert list(tmp_path.glob("boxscope-*")) == []


def test_a_torchvision_model_with_random_weights_has_thresholds_of_its_own_and_no_ground_truth() -> None:
    app = move(open_app(), box_score=0.3)
    app.sidebar.selectbox(key="model").set_value("fasterrcnn_mobilenet_v3_large_320_fpn")
    app.run()
    app.sidebar.segmented_control(key="weights").set_value("random")
    calm(app.run())
    assert app.query_params["model"] == "fasterrcnn_mobilenet_v3_large_320_fpn"
    assert "box_score" not in app.query_params
    assert slider(app, "rpn_pre_nms_top_n").value == 150  # type: ignore[attr-defined]
    assert 'class="line"' not in strip(app)


def test_a_selected_object_is_explained_and_linked() -> None:
    app = open_app(object="0")
    assert any(text.value.startswith("**#0 ") for text in app.markdown)
    assert app.query_params["object"] == "0"
    assert not any(text.value.startswith("**#0 ") for text in open_app().markdown)


def test_two_sessions_do_not_see_each_other(scenes: tuple[ImageChoice, ...]) -> None:
    first, second = open_app(image=scenes[1].key), open_app(image=scenes[2].key)
    move(first, box_score=0.9)
    calm(second.run())
    assert second.query_params["image"] == scenes[2].key
    assert "box_score" not in second.query_params
    assert unescape(strip(first)) != unescape(strip(second))
