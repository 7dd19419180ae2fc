"""Trace files in the app: every page without the model's code, and one sentence where the model is missed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest
from support.app import PAGES, calm, counts, move, open_app, said, strip
from support.models import random_image, random_truth, shared_detector

from detector import Replayer, Trace, capture, recording
from detector.tracing.sampling import training_trace
from detector.tracing.trace_file import parse_trace
from viz_app.recorded import UNSEEN, replay_as_recorded

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Traces of a model that the app has never heard of: one image, two of a batch, one of a training step."""
    detector, folder = shared_detector("pyramid_per_class"), tmp_path_factory.mktemp("traces")
    trace = capture(detector, random_image(), random_truth())
    with recording(detector) as recorder, torch.no_grad():
        detector.model([random_image(1), random_image(2, (128, 96))])
    traces = {"one": trace, "first": recorder.traces[0], "second": recorder.traces[1]}
    traces["step"] = training_trace(detector, trace, seed=4)
    contents = {}
    for name, one in traces.items():
        one.save(folder / f"{name}.trace", features=name != "first")
        contents[name] = (folder / f"{name}.trace").read_bytes()
    return contents


def open_trace(page: str, files: dict[str, bytes], *names: str) -> AppTest:
    app = open_app(page)
    uploads = [(f"{name}.trace", files[name], "application/octet-stream") for name in names]
    app.file_uploader(key="uploads").set_value(uploads)
    return calm(app.run())


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_a_trace_without_its_model(page: str, files: dict[str, bytes]) -> None:
    app = open_trace(page, files, "one")
    trace = parse_trace(files["one"], "one.trace")
    assert counts(app)["detections"] == f"{len(trace.detections):,}"
    assert counts(app)["image"] == "128 × 96"
    assert 'class="line"' in strip(app), "the objects were saved with it"
    assert said(app) == ""
    assert any("pyramid" in text.value and "not used" in text.value for text in app.sidebar.caption)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["second", "first", "step"])
def test_every_page_shows_batch_traces_small_ones_and_training_steps(
    page: str, name: str, files: dict[str, bytes]
) -> None:
    app = open_trace(page, files, name)
    trace = parse_trace(files[name], name)
    height, width = trace.input.image_size
    assert counts(app)["image"] == f"{width} × {height}"
    assert ("training step" in said(app)) == (name == "step")
    assert any("image 2 of its batch" in text.value for text in app.sidebar.caption) == (name == "second")


def test_sliders_replay_a_trace_as_far_as_it_was_recorded(files: dict[str, bytes]) -> None:
    app = open_trace("full_network", files, "one")
    replayer = Replayer(parse_trace(files["one"], "one.trace"))
    own = replayer.trace.thresholds
    fewer = own.replace(box_score=0.3, rpn_post_nms_top_n=10)
    move(app, box_score=0.3, rpn_post_nms_top_n=10)
    assert counts(app)["detections"] == f"{len(replayer.replay(fewer).labels):,}"
    assert counts(app)["proposals"] == "10"
    assert said(app) == ""
    move(app, rpn_nms=1.0, rpn_post_nms_top_n=2000)
    assert "did not record" in said(app)
    kept = replayer.replay(own.replace(box_score=0.3))
    assert counts(app)["detections"] == f"{len(kept.labels):,}"
    assert counts(app)["proposals"] == f"{len(kept.proposals.kept):,}"


def test_a_replay_with_its_model_keeps_its_mistakes(files: dict[str, bytes]) -> None:
    trace = parse_trace(files["one"], "one.trace")
    wide = trace.thresholds.replace(rpn_nms=1.0, rpn_post_nms_top_n=2000)
    assert replay_as_recorded(Replayer(trace), wide)[1] == UNSEEN
    shown, sentence = replay_as_recorded(Replayer(trace, shared_detector("pyramid_per_class")), wide)
    assert sentence == "" and len(shown.proposals.kept) > len(trace.head.boxes)


def test_features_of_recorded_rois_are_had_without_the_model(files: dict[str, bytes]) -> None:
    trace = parse_trace(files["one"], "one.trace")
    replayer = Replayer(trace)
    fewer = replayer.replay(trace.thresholds.replace(rpn_post_nms_top_n=20))
    assert fewer.head.features is None and trace.head.features is not None
    found = replayer.roi_features(fewer, torch.arange(5))
    for row, anchor in enumerate(fewer.head.anchor[:5].tolist()):
        place = int((trace.head.anchor == anchor).nonzero()[0])
        assert torch.equal(found[row], trace.head.features[place])


def test_images_and_traces_are_opened_side_by_side_and_broken_ones_named(files: dict[str, bytes]) -> None:
    app = open_trace("full_network", files, "second", "one")
    assert app.sidebar.selectbox(key="image").options[-2:] == ["second.trace", "one.trace"]
    before = counts(app)
    broken = files["one"][:-100]
    uploads = [
        ("second.trace", files["second"], "application/octet-stream"),
        ("half.trace", broken, "application/octet-stream"),
        ("photo.trace", b"\x89PNG and so on", "application/octet-stream"),
    ]
    app.file_uploader(key="uploads").set_value(uploads)
    calm(app.run())
    assert "half.trace" in said(app) and "photo.trace" in said(app)
    assert counts(app) == before


@pytest.mark.parametrize(
    ("stage", "field", "value", "named"),
    [
        ("rpn", "objectness", torch.zeros(3), "rpn.objectness"),
        ("rpn", "anchors", torch.zeros(7, 4), "rpn.anchors"),
        ("head", "class_logits", torch.zeros(2, 2), "head.class_logits"),
        ("head", "anchor", None, "names an anchor"),
        ("input", "pixels", torch.zeros(3, 5, 5, dtype=torch.uint8), "input.pixels"),
    ],
)
def test_a_trace_whose_parts_do_not_fit_is_refused(
    stage: str, field: str, value: torch.Tensor | None, named: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    trace = parse_trace(files["one"], "one.trace")
    if value is None:
        value = torch.full_like(trace.head.anchor, 10**9)
    changed = dataclasses.replace(getattr(trace, stage), **{field: value})
    dataclasses.replace(trace, **{stage: changed}).save(tmp_path / "odd.trace")
    with pytest.raises(ValueError, match=named) as caught:
        Trace.load(tmp_path / "odd.trace")
    assert "odd.trace" in str(caught.value) and "\n" not in str(caught.value)
