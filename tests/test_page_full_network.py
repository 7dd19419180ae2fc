"""The Full network page: what is there, what is selected, and what it says where nothing was found."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest
from support.app import calm, counts, move, open_app, slider

from viz_app.links import Selected

pytestmark = pytest.mark.usefixtures("fresh_caches")

PATIENCE = 120


def page(model: str, truth: str, knobs: dict[str, float]) -> None:
    """The page on one random image; runs inside AppTest, which takes the source of this function alone."""
    import streamlit as st
    import torch
    from support.models import random_image, random_truth, shared_detector, single_map_detector

    from detector import GroundTruth, Replayer, capture
    from detector.explaining.ladder import diagnose
    from viz_app.app_pages import full_network
    from viz_app.scene import Scene

    def objects(classes: int) -> GroundTruth | None:
        if truth == "unknown":
            return None
        count = {"none": 0, "few": 4, "crowd": 4, "many": 100}[truth]
        found = random_truth(3, count=count, classes=classes)
        crowd = torch.zeros(count, dtype=torch.bool)
        if truth == "crowd":
            crowd[:2] = True
        return GroundTruth(found.boxes, found.labels, crowd)

    def build() -> Replayer:
        detector = single_map_detector() if model == "single map" else shared_detector(model)
        return Replayer(capture(detector, random_image(3), objects(detector.num_classes)), detector)

    if "replayer" not in st.session_state:
        st.session_state["replayer"] = build()
    replayer = st.session_state["replayer"]
    replay = replayer.replay(replayer.trace.thresholds.replace(**knobs))
    known = replayer.trace.ground_truth
    diagnosis = None if known is None else diagnose(replay, known)
    st.session_state["diagnosis"], st.session_state["replay"] = diagnosis, replay
    full_network.render(Scene(replayer.detector, replayer.trace, replayer, replay, diagnosis))


def open_page(model: str = "pyramid_per_class", truth: str = "few", **knobs: float) -> AppTest:
    given = {"model": model, "truth": truth, "knobs": knobs}
    return run(AppTest.from_function(page, default_timeout=PATIENCE, kwargs=given))


def run(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception, test.exception
    assert not test.error
    return test


def views(test: AppTest) -> list[str]:
    return list(test.segmented_control[0].options)


def look(test: AppTest, view: str) -> AppTest:
    test.segmented_control[0].set_value(view)
    return run(test)


def words(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.info, test.subheader)
    text = "\n".join(str(element.value) for elements in kinds for element in elements)
    return re.sub(r"\\(.)", r"\1", text)


def with_columns(test: AppTest, *columns: str) -> list[object]:
    return [frame.value for frame in test.dataframe if set(columns) <= set(frame.value.columns)]


@pytest.mark.parametrize(
    ("model", "truth"),
    [
        ("pyramid_best_class", "few"),
        ("pyramid_per_class", "unknown"),
        ("single map", "none"),
        ("pyramid_per_class", "crowd"),
        ("pyramid_best_class", "many"),
    ],
)
def test_every_view_draws_whatever_is_known_of_the_image(model: str, truth: str) -> None:
    test = open_page(model, truth)
    assert views(test) == ["Path", "Matches", "Thresholds", "Classes and scores", "Model"]
    assert f"{len(test.session_state['replay'].labels):,} detections" in words(test)
    for view in views(test)[1:]:
        look(test, view)
    assert ("Objects" in [heading.value for heading in test.subheader]) == (truth != "unknown")
    look(test, "Matches")
    assert ("Matches need annotated objects" in words(test)) == (truth == "unknown")
    assert ("there is no object on this image" in words(test)) == (truth == "none")
    tables = with_columns(test, "verdict")
    assert len(tables) == (truth not in ("unknown", "none"))
    if truth == "many":
        assert len(tables[0]) == 100  # type: ignore[arg-type]


def test_the_model_is_measured_once_for_an_image() -> None:
    test = look(open_page(), "Model")
    table = with_columns(test, "input", "output", "time", "memory", "parameters")[0]
    assert next(iter(table["part"])) == "transform"  # type: ignore[index]
    first = list(table["ms"])  # type: ignore[index]
    look(look(test, "Path"), "Model")
    again = with_columns(test, "input", "output", "time")[0]
    assert list(again["ms"]) == first  # type: ignore[index]


@pytest.mark.parametrize(
    ("model", "view"), [("maskrcnn_resnet50_fpn", "Masks"), ("keypointrcnn_resnet50_fpn", "Keypoints")]
)
def test_a_model_with_another_head_has_a_view_of_it(model: str, view: str) -> None:
    test = open_page(model)
    assert view in views(test)
    look(test, view)
    assert "Detection 0" in words(test)
    assert len(test.get("plotly_chart")) == 1
    test = look(open_page(model, box_score=1.0), view)
    assert "No detection, so no" in words(test)


def test_an_image_without_detections_says_which_step_is_empty() -> None:
    test = open_page(box_score=1.0)
    assert re.search(
        r"No detection: no class of the [\d,]+ RoIs scores over \*\*Score\*\* 1. The strongest is",
        words(test),
    )
    test = open_page(rpn_score=1.0)
    assert re.search(r"No detection: the RPN left no proposal. None of its [\d,]+ best boxes", words(test))
    for view in views(test):
        look(test, view)


# --- in the app ---


@pytest.mark.parametrize("knobs", [{"box_score": 1.0}, {"rpn_score": 1.0}])
def test_a_button_brings_the_strongest_candidate_back(knobs: dict[str, float]) -> None:
    app = move(open_app(), **knobs)
    assert counts(app)["detections"] == "0"
    before = {name: slider(app, name).value for name in ("box_score", "rpn_score", "box_nms")}
    app.button(key="full_network.lower").click()
    calm(app.run())
    assert int(counts(app)["detections"]) >= 1
    after = {name: slider(app, name).value for name in before}
    assert after != before and after["box_nms"] == before["box_nms"]
    changed = next(name for name in knobs)
    assert 0 < after[changed] < 1, "just far enough, not down to nothing"
    assert app.query_params[changed] == repr(after[changed])


def test_a_selected_object_is_told_about_and_the_matrix_marks_it() -> None:
    app = open_app(select=str(Selected("object", 1)))
    assert any(markdown.value.startswith("**#1 ") for markdown in app.markdown)
    app.segmented_control(key="full_network.view.").set_value("Matches")
    calm(app.run())
    charts = app.get("plotly_chart")
    assert len(charts) == 1
    assert '"shapes":[{' in charts[0].proto.spec.replace(" ", "")
