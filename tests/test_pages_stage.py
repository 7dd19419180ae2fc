"""The RPN page on real traces: every view, selections, and images that have nothing to show."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from viz_app.figures.words import latex_count

PATIENCE = 120


def app(page: str, model: str, truth: bool, knobs: dict[str, float]) -> None:
    """One page on one random image; runs inside AppTest, which takes the source of this function alone."""
    import importlib

    import streamlit as st
    from support.models import random_image, random_truth, shared_detector, single_map_detector

    from detector import Replayer, capture
    from viz_app.scene import Scene

    def build() -> Replayer:
        detector = single_map_detector() if model == "single map" else shared_detector(model)
        objects = random_truth(3, classes=detector.num_classes) if truth else None
        return Replayer(capture(detector, random_image(3), objects), detector)

    if "replayer" not in st.session_state:
        st.session_state["replayer"] = build()
    replayer = st.session_state["replayer"]
    replay = replayer.replay(replayer.trace.thresholds.replace(**knobs))
    st.session_state["replay"] = replay
    scene = Scene(replayer.detector, replayer.trace, replayer, replay, None)
    importlib.import_module(f"viz_app.app_pages.{page}").render(scene)


def open_page(page: str, model: str = "pyramid_per_class", *, truth: bool = True, **knobs: float) -> AppTest:
    test = AppTest.from_function(
        app, default_timeout=PATIENCE, kwargs={"page": page, "model": model, "truth": truth, "knobs": knobs}
    )
    return run(test)


def run(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception, test.exception
    assert not test.error
    return test


def words(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.info, test.subheader)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def choose_view(test: AppTest, view: str) -> AppTest:
    test.segmented_control(key="rpn.view").set_value(view)
    return run(test)


@pytest.mark.parametrize("model", ["pyramid_best_class", "maskrcnn_resnet50_fpn", "single map"])
@pytest.mark.parametrize("truth", [True, False])
def test_every_view_of_the_rpn_page_draws(model: str, truth: bool) -> None:
    test = open_page("rpn", model, truth=truth)
    for view in ("Objectness", "Strongest anchors", "Training samples", "Filters"):
        choose_view(test, view)
    assert ("No ground truth for this image" in words(test)) == (not truth)


def test_the_filters_view_counts_each_fate_and_tables_what_was_kept() -> None:
    test = open_page("rpn")
    counts = test.session_state["replay"].proposals.counts()
    labels = test.pills(key="rpn.fates").options
    assert [label.rsplit(" ", 1)[1] for label in labels] == [
        f"{count:,}" for count in counts.values() if count
    ]
    table = test.dataframe[0].value
    kept = test.session_state["replay"].proposals.kept
    assert table["anchor"].tolist() == kept[:200].tolist()
    assert set(table["fate"]) == {"kept"}


def test_the_level_table_has_a_row_for_each_level_whatever_the_view() -> None:
    test = open_page("rpn")
    for view in ("Objectness", "Filters"):
        choose_view(test, view)
        levels = next(table.value for table in test.dataframe if "map, cells" in table.value)
        assert sum(levels["anchors"].tolist()) == len(test.session_state["replay"].proposals)


def test_the_objectness_view_tables_the_anchors_of_the_chosen_level() -> None:
    test = choose_view(open_page("rpn"), "Objectness")
    test.pills(key="rpn.level.3").set_value(2)
    run(test)
    assert set(test.dataframe[0].value["level"]) == {2}


def test_as_many_of_the_strongest_anchors_as_were_asked_for() -> None:
    test = choose_view(open_page("rpn"), "Strongest anchors")
    test.slider(key="rpn.count").set_value(7)
    run(test)
    table = test.dataframe[0].value
    logits = test.session_state["replay"].trace.rpn.objectness
    assert table["anchor"].tolist() == logits.topk(7).indices.tolist()


def test_training_samples_change_with_the_seed_and_come_back_with_it() -> None:
    test = choose_view(open_page("rpn"), "Training samples")
    first = test.dataframe[0].value["anchor"].tolist()
    test.button(key="rpn.draw").click()
    run(test)
    assert test.number_input(key="rpn.seed").value == 1
    second = test.dataframe[0].value["anchor"].tolist()
    test.number_input(key="rpn.seed").set_value(0)
    run(test)
    assert test.dataframe[0].value["anchor"].tolist() == first
    assert sorted(second) != sorted(first)


def test_training_samples_without_objects_say_what_is_missing() -> None:
    test = choose_view(open_page("rpn", truth=False), "Training samples")
    assert "Training samples need annotated objects" in words(test)


def test_no_proposal_is_no_exception() -> None:
    test = open_page("rpn", rpn_score=1.0)
    assert len(test.session_state["replay"].proposals.kept) == 0
    assert "Nothing to show" in words(test)


def test_what_happens_here_speaks_of_this_image() -> None:
    test = open_page("rpn")
    assert latex_count(len(test.session_state["replay"].trace.rpn.anchors)) in words(test)


@pytest.mark.parametrize("model", ["pyramid_best_class", "maskrcnn_resnet50_fpn", "single map"])
def test_display_formulas_stand_on_lines_of_their_own(model: str) -> None:
    # Text after an opening `$$` makes Markdown read on to the end of the page as one broken formula.
    lines = words(open_page("rpn", model)).splitlines()
    fences = [line for line in lines if "$$" in line]
    assert fences and all(line == "$$" for line in fences)
    assert len(fences) % 2 == 0
