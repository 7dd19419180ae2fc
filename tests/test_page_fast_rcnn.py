"""The Fast R-CNN page on real traces: every view, selections both ways, and images that have nothing to show."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from torchvision.ops import box_iou

PATIENCE = 300
VIEWS = ("Levels", "Refinement", "Class slots", "Embedding", "Near an object", "Training samples", "One RoI")


def app(model: str, truth: bool, knobs: dict[str, float]) -> None:
    """The page on one random image; runs inside AppTest, which takes the source of this function alone."""
    import streamlit as st
    from support.models import random_image, random_truth, shared_detector, single_map_detector

    from detector import GroundTruth, Replayer, capture
    from detector.tracing.sampling import training_trace
    from viz_app.app_pages import fast_rcnn
    from viz_app.scene import Scene

    def build() -> Replayer:
        detector = single_map_detector() if model == "single map" else shared_detector(model.split(":")[0])
        objects: GroundTruth | None = random_truth(3, classes=detector.num_classes) if truth else None
        trace = capture(detector, random_image(3), objects)
        if model.endswith(":training"):
            trace = training_trace(detector, trace)
        return Replayer(trace, None if ":file" in model else detector)

    if "replayer" not in st.session_state:
        st.session_state["replayer"] = build()
    replayer = st.session_state["replayer"]
    replay = replayer.replay(replayer.trace.thresholds.replace(**knobs))
    st.session_state["replay"] = replay
    fast_rcnn.render(Scene(replayer.detector, replayer.trace, replayer, replay, None))


def open_page(
    model: str = "pyramid_per_class", *, truth: bool = True, select: str | None = None, **knobs: float
) -> AppTest:
    test = AppTest.from_function(
        app, default_timeout=PATIENCE, kwargs={"model": model, "truth": truth, "knobs": knobs}
    )
    if select is not None:
        test.query_params["select"] = select
    return run(test)


def run(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception, test.exception
    assert not test.error
    return test


def words(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.info, test.warning, test.subheader)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def view(test: AppTest, name: str) -> AppTest:
    test.segmented_control(key="fast_rcnn.view").set_value(name)
    return run(test)


@pytest.mark.parametrize("model", ["pyramid_best_class", "maskrcnn_resnet50_fpn", "single map"])
@pytest.mark.parametrize("truth", [True, False])
def test_every_view_draws_and_the_page_opens_on_the_most_probable_roi(model: str, truth: bool) -> None:
    test = open_page(model, truth=truth)
    replay = test.session_state["replay"]
    best = int(replay.class_scores[:, 1:].amax(1).argmax())
    assert f"**RoI {best}: " in words(test)
    table = test.dataframe[0].value
    assert len(table) == len(replay.head.boxes) and ("best IoU" in table) == truth
    for name in VIEWS:
        view(test, name)
        if name == "Near an object":
            assert ("no annotated object" in words(test)) == (not truth)
        if name == "Training samples":
            assert ("need annotated objects" in words(test)) == (not truth)
    lines = words(test).splitlines()
    # Text after an opening `$$` makes Markdown read on to the end of the page as one broken formula.
    fences = [line for line in lines if "$$" in line]
    assert fences and all(line == "$$" for line in fences) and len(fences) % 2 == 0
    assert "Girshick 2015" in words(test)


def test_a_link_to_a_detection_shows_its_roi_and_its_category() -> None:
    probe = open_page()
    replay = probe.session_state["replay"]
    roi = 11
    anchor = int(replay.proposals.kept[roi])
    label = int(replay.class_scores[roi, 1:].argmin()) + 1
    test = open_page(select=f"detection.{anchor}.{label}")
    name = replay.trace.categories[label].replace("_", "\\_")
    assert f"**RoI {roi}: {name}**" in words(test)
    assert f"What happens here to RoI {roi}" in [part.label for part in test.expander]
    view(test, "Class slots")
    assert f"The *{name}* slot of RoI {roi}" in words(test)
    assert test.query_params["select"] == f"detection.{anchor}.{label}"
    view(test, "Near an object")
    test.selectbox[0].set_value(2)
    run(test)
    assert test.query_params["select"] == "object.2"
    assert "cover object #2" in words(test)


def test_a_roi_that_was_selected_elsewhere_comes_first_in_its_table() -> None:
    replay = open_page().session_state["replay"]
    order = replay.class_scores[:, 1:].amax(1).argsort(descending=True, stable=True).tolist()
    far, near = order[200], order[3]
    test = open_page(select=f"anchor.{int(replay.proposals.kept[far])}")
    assert test.dataframe[0].value["RoI"].tolist() == [far, *(roi for roi in order if roi != far)]
    test = open_page(select=f"anchor.{int(replay.proposals.kept[near])}")
    assert test.dataframe[0].value["RoI"].tolist() == order
    nearest = open_page(select="object.1")
    overlaps = box_iou(replay.trace.to_image(replay.head.boxes), replay.trace.ground_truth.boxes)[:, 1]
    assert f"**RoI {int(overlaps.argmax())}: " in words(nearest)


def test_the_slots_of_a_fate_are_those_of_the_ledger() -> None:
    test = view(open_page(box_score=0.02, box_nms=0.3), "Class slots")
    replay = test.session_state["replay"]
    ledger = next(table.value for table in test.dataframe if "slots" in table.value)
    assert sum(ledger["slots"].tolist()) == len(replay.detections)
    test.pills(key="fast_rcnn.fates").set_value([])
    run(test)
    assert "Nothing to show" in words(test)


def test_no_detection_and_no_proposal_are_told_and_no_exception() -> None:
    test = view(open_page(box_score=1.0), "Class slots")
    table = next(table.value for table in test.dataframe if "slots" in table.value)
    ledger = dict(zip(table["fate"].tolist(), table["slots"].tolist(), strict=True))
    assert ledger["kept"] == 0
    assert ledger["low score"] == len(test.session_state["replay"].detections)
    assert "Nothing to show" in words(test)
    assert "No proposal reached the second stage" in words(open_page(rpn_score=1.0))


def test_any_channel_and_the_sampling_grid_can_be_shown() -> None:
    test = open_page()
    for shown in ("mean", 5):
        test.selectbox(key="fast_rcnn.channel").set_value(shown)
        assert run(test).selectbox(key="fast_rcnn.channel").value == shown
    test.segmented_control(key="fast_rcnn.grid").set_value("bins and points")
    run(test)
    assert "7 × 7 bins, 2 × 2 sample points" in words(test)


def test_rois_that_the_capture_never_saw_have_features_too() -> None:
    test = open_page(rpn_nms=0.3, rpn_post_nms_top_n=40)
    assert test.session_state["replay"].head.features is None
    assert "7 × 7 from pyramid level" in words(test)
    view(test, "Embedding")


def test_training_samples_change_with_the_seed_and_come_back_with_it() -> None:
    test = view(open_page(), "Training samples")
    test.selectbox(key="fast_rcnn.which").set_value("all")
    first = run(test).dataframe[0].value
    test.button(key="training.draw").click()
    run(test)
    assert test.number_input(key="training.seed").value == 1
    second = test.dataframe[0].value
    test.number_input(key="training.seed").set_value(0)
    assert run(test).dataframe[0].value.equals(first)
    assert not second.equals(first)
    assert first["class loss"].is_monotonic_decreasing
    test.selectbox(key="fast_rcnn.end").set_value("best")
    assert run(test).dataframe[0].value["class loss"].is_monotonic_increasing


@pytest.mark.parametrize("kind", ["", ":training"])
def test_a_trace_without_its_model_draws_in_every_view(kind: str) -> None:
    test = open_page(f"pyramid_per_class:file{kind}")
    for name in VIEWS:
        view(test, name)
        if name == "Training samples":
            assert ("the step drew" in words(test)) == bool(kind)
    assert "Post-processing" in words(test) and "In training" not in words(test)


def test_rois_of_a_training_trace_are_chosen_by_their_number() -> None:
    test = open_page("pyramid_per_class:training")
    assert bool((test.session_state["replay"].head.anchor == -1).all())
    test.number_input[0].set_value(9)
    assert "**RoI 9: " in words(run(test))
    for name in VIEWS:
        view(test, name)
