"""What can be chosen and linked in the app: other detectors, checkpoints good and bad, links honest and not."""

from pathlib import Path

import pytest
from support.app import APP, calm, counts, move, open_app, said, slider, strip

from viz_app.scenes import ImageChoice, bundled_scenes

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture(scope="module")
def scenes() -> tuple[ImageChoice, ...]:
    return bundled_scenes()


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
        select="object.99999",
        evil="<script>",
    )
    for part in ("passwd", "box_score", "box_limit", "evil", "#99999"):
        assert part in said(app)
    assert app.query_params["image"] == scenes[0].key
    assert app.query_params["rpn_nms"] == "0.5"
    assert not {"box_score", "box_limit", "evil", "select"} & set(app.query_params)
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
    assert slider(app, "rpn_pre_nms_top_n").value == 150
    assert 'class="line"' not in strip(app)


def test_a_selected_object_is_explained_and_linked() -> None:
    app = open_app(select="object.0")
    assert any(text.value.startswith("**#0 ") for text in app.markdown)
    assert app.query_params["select"] == "object.0"
    assert not any(text.value.startswith("**#0 ") for text in open_app().markdown)


def test_two_sessions_do_not_see_each_other(scenes: tuple[ImageChoice, ...]) -> None:
    first, second = open_app(image=scenes[1].key), open_app(image=scenes[2].key)
    move(first, box_score=0.9)
    calm(second.run())
    assert second.query_params["image"] == scenes[2].key
    assert "box_score" not in second.query_params
    assert strip(first) != strip(second)
