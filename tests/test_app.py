"""The app as a person uses it: every page, bundled and uploaded images, thresholds moved and reset."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from support.app import PAGES, calm, counts, move, open_app, said, strip

from detector import Detector, GroundTruth, Thresholds
from detector.data.images import read_image
from detector.models.zoo import load_detector
from viz_app.bundled import sample_images_folder
from viz_app.scenes import Annotations, ImageChoice, bundled_scenes

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture(scope="module")
def shapes() -> Detector:
    return load_detector("shapes")


@pytest.fixture(scope="module")
def scenes() -> tuple[ImageChoice, ...]:
    return bundled_scenes()


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
    known = scenes[0].annotations
    assert list(objects["category"]) == [known.categories[label] for label in known.truth.labels.tolist()]
    assert any(words[0].startswith("lost at") for words in objects["verdict"])
    assert said(app) == ""


def test_objects_keep_their_category_under_another_numbering(shapes: Detector) -> None:
    truth = GroundTruth(torch.tensor([[1.0, 2, 30, 40], [5, 5, 50, 60]]), torch.tensor([1, 2]))
    known = Annotations(truth, ("background", "ring", "circle")).known_to(shapes)
    assert known is not None
    assert [shapes.categories[label] for label in known.labels.tolist()] == ["ring", "circle"]
    assert Annotations(truth, ("background", "ring", "zebra")).known_to(shapes) is None


@pytest.mark.parametrize("place", PAGES)
def test_every_page_shows_bundled_scenes_by_link_and_by_choice(
    place: str, scenes: tuple[ImageChoice, ...], shapes: Detector
) -> None:
    app, own = open_app(place, image=scenes[5].key), Thresholds.from_model(shapes.model)
    for scene in (5, 11, 0):
        if scene != 5:
            app.sidebar.selectbox(key="image").select_index(scene)
            calm(app.run())
        assert app.query_params["image"] == scenes[scene].key
        path = sample_images_folder() / scenes[scene].key
        assert counts(app)["detections"] == f"{real_detections(shapes, path, own):,}"
        assert len(app.get("bidi_component")) > 1, "the strip, and at least one picture"
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
    labels = [slider.label for slider in app.sidebar.slider]
    assert len(labels) == len(set(labels)), "a screen reader tells them apart by their labels alone"
    move(app, box_score=0.9, rpn_post_nms_top_n=5)
    assert counts(app) != before
    app.sidebar.button(key="reset").click()
    calm(app.run())
    assert counts(app) == before
    assert app.query_params == address


@pytest.mark.parametrize("place", PAGES)
def test_every_page_stands_the_ends_of_the_sliders(place: str, shapes: Detector) -> None:
    app, own = open_app(place), Thresholds.from_model(shapes.model)
    for knobs in (
        {"box_score": 1.0},
        {"box_score": own.box_score, "rpn_score": 1.0},
        {"rpn_score": own.rpn_score, "box_score": 0.0, "box_nms": 1.0},
    ):
        move(app, **knobs)
        nothing = 1.0 in (knobs.get("box_score"), knobs.get("rpn_score"))
        assert (counts(app)["detections"] == "0") == nothing
        if nothing and place == "full_network":
            assert any("No detection" in info.value for info in app.info)
