"""The RPN page on real traces: every view, selections that survive, and images that have nothing to show."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.app import calm, open_app

from detector import ProposalFate
from viz_app.figures.words import latex_count
from viz_app.links import Selected

PATIENCE = 120
VIEWS = ("Anchors", "Scores", "Top-k", "Filters", "Objects", "Training")


def app(model: str, objects: int | None, knobs: dict[str, float], training: bool, known: bool) -> None:
    """The page on one random image; runs inside AppTest, which takes the source of this function alone."""
    import streamlit as st
    from support.models import random_image, random_truth, shared_detector, single_map_detector

    from detector import Replayer, capture
    from detector.tracing.sampling import training_trace
    from viz_app.app_pages import rpn
    from viz_app.scene import Scene

    def build() -> Replayer:
        detector = single_map_detector() if model == "single map" else shared_detector(model)
        truth = None if objects is None else random_truth(3, count=objects, classes=detector.num_classes)
        trace = capture(detector, random_image(3), truth)
        return Replayer(training_trace(detector, trace, 5) if training else trace, detector)

    if "replayer" not in st.session_state:
        st.session_state["replayer"] = build()
    replayer = st.session_state["replayer"]
    replay = replayer.replay(replayer.trace.thresholds.replace(**knobs))
    st.session_state["replay"] = replay
    rpn.render(Scene(replayer.detector if known else None, replayer.trace, replayer, replay, None))


def open_page(
    model: str = "pyramid_per_class",
    view: str | None = None,
    *,
    objects: int | None = 4,
    training: bool = False,
    known: bool = True,
    select: str = "",
    **knobs: float,
) -> AppTest:
    arguments = {"model": model, "objects": objects, "knobs": knobs, "training": training, "known": known}
    test = AppTest.from_function(app, default_timeout=PATIENCE, kwargs=arguments)
    if select:
        test.query_params["select"] = select
    run(test)
    return test if view is None else choose_view(test, view)


def run(test: AppTest) -> AppTest:
    test.run()
    assert [element.value for element in test.exception] == []
    assert not test.error
    return test


def choose_view(test: AppTest, view: str) -> AppTest:
    test.segmented_control(key="rpn.view").set_value(view)
    return run(test)


def words(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.info, test.subheader, test.warning)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def table_with(test: AppTest, column: str) -> Any:
    return next(table.value for table in test.dataframe if column in table.value)


def ledger(test: AppTest) -> Any:
    return test.session_state["replay"].proposals


@pytest.mark.parametrize(
    ("model", "objects"),
    [("pyramid_best_class", 4), ("maskrcnn_resnet50_fpn", None), ("single map", 1), ("single map", 0)],
)
def test_every_view_draws(model: str, objects: int | None) -> None:
    test = open_page(model, objects=objects)
    for view in VIEWS:
        choose_view(test, view)
        needs_objects = view in ("Objects", "Training")
        assert ("needs annotated objects" in words(test)) == (needs_objects and not objects)


def test_every_view_draws_in_the_app_for_a_bundled_scene_and_for_an_upload() -> None:
    test = open_app("rpn", select="object.1")
    for view in VIEWS:
        calm(test.segmented_control(key="rpn.view").set_value(view).run())
    assert test.query_params["select"] == "object.1"
    data = cv2.imencode(".png", np.full((90, 130, 3), 128, np.uint8))[1].tobytes()
    calm(test.file_uploader(key="uploads").set_value([("grey.png", data, "image/png")]).run())
    for view in VIEWS:
        calm(test.segmented_control(key="rpn.view").set_value(view).run())
    assert "needs annotated objects" in words(test)


def test_the_filters_view_counts_each_fate_and_tables_what_was_kept() -> None:
    test = open_page()
    counts = ledger(test).counts()
    labels = test.pills(key="rpn.fates").options
    assert [label.rsplit(" ", 1)[1] for label in labels] == [
        f"{count:,}" for count in counts.values() if count
    ]
    table = table_with(test, "fate")
    assert table["anchor"].tolist() == ledger(test).kept[:200].tolist()
    assert set(table["fate"]) == {"kept"}
    levels = table_with(test, "map, cells")
    assert sum(levels["anchors"].tolist()) == len(ledger(test))


def test_the_filter_step_by_step_and_at_other_floors() -> None:
    test = open_page()
    test.segmented_control(key="rpn.filter").set_value("step by step")
    run(test)
    winners = len(ledger(test).winners)
    assert f"NMS {winners:,}" in test.pills(key="rpn.step").options
    test.pills(key="rpn.step").set_value("NMS")
    run(test)
    assert table_with(test, "fate")["anchor"].tolist() == ledger(test).winners[:200].tolist()
    test.segmented_control(key="rpn.filter").set_value("score floors")
    run(test)
    assert f"objectness ≥ 0: **{len(ledger(test).kept):,}**" in words(test)


def test_the_scores_view_tables_the_anchors_of_the_chosen_level() -> None:
    test = open_page(view="Scores")
    test.pills(key="rpn.level.3").set_value(2)
    run(test)
    assert set(table_with(test, "fate")["level"]) == {2}


def test_as_many_of_the_strongest_anchors_as_were_asked_for() -> None:
    test = open_page(view="Top-k")
    test.slider(key="rpn.count").set_value(7)
    run(test)
    logits = test.session_state["replay"].trace.rpn.objectness
    assert table_with(test, "fate")["anchor"].tolist() == logits.topk(7).indices.tolist()


def test_a_linked_anchor_stays_selected_through_all_views_with_its_duels() -> None:
    replay = open_page().session_state["replay"]
    loser = int(replay.proposals.with_fate(ProposalFate.SUPPRESSED)[0])
    winner = int(replay.proposals.suppressor_of([loser])[0])
    test = open_page(select=f"anchor.{loser}")
    for view in ("Filters", "Scores", "Top-k", "Anchors"):
        choose_view(test, view)
        assert f"was **suppressed by anchor {winner:,}**" in words(test)
        duels = table_with(test, "NMS")
        assert duels["anchor"][0] == winner and loser in duels["anchor"].tolist()
        assert table_with(test, "px, network frame")["w"][0] > 0
    assert loser in table_with(test, "√area")["anchor"].tolist()  # the Anchors view went to its cell
    assert test.session_state["boxscope.choice"].selected == Selected("anchor", loser)


def test_a_linked_cell_shows_its_anchors_on_all_levels_or_on_one() -> None:
    test = open_page(view="Anchors", select="cell.100")
    grid = test.session_state["replay"].trace.rpn.grid
    y, x = divmod(100, grid[0][1])
    assert f"around cell ({y}, {x}) of level 0" in words(test)
    table = table_with(test, "√area")
    assert len(table) == sum(kinds for _, _, kinds in grid) and set(table["level"]) == {0, 1, 2}
    test.pills(key="rpn.anchors.level.3").set_value(1)
    run(test)
    assert set(table_with(test, "√area")["level"]) == {1}


def test_an_object_in_focus_has_its_nearest_anchors_and_proposals() -> None:
    test = open_page(view="Objects", select="object.1")
    assert len(table_with(test, "decoded")) == 4
    near = table_with(test, "what")
    assert near["what"].tolist() == ["anchor"] * 3 + ["proposal"] * 3
    proposals = near["anchor"][3:].tolist()
    assert set(proposals) <= set(ledger(test).kept.tolist())
    # Of one of its proposals it is the same object.
    test = open_page(view="Objects", select=f"anchor.{proposals[0]}")
    assert "Nearest to object #1" in words(test)


def test_training_samples_change_with_the_seed_and_come_back_with_it() -> None:
    test = open_page(view="Training")
    first = table_with(test, "box loss")["anchor"].tolist()
    test.button(key="training.draw").click()
    run(test)
    assert test.number_input(key="training.seed").value == 1
    second = table_with(test, "box loss")["anchor"].tolist()
    test.number_input(key="training.seed").set_value(0)
    run(test)
    assert table_with(test, "box loss")["anchor"].tolist() == first
    assert sorted(second) != sorted(first)


def test_the_worst_anchors_come_first_by_each_loss() -> None:
    test = open_page(view="Training")
    test.segmented_control(key="rpn.training.mode").set_value("best and worst")
    run(test)
    for loss, column in (("objectness", "objectness loss"), ("box", "box loss")):
        test.selectbox(key="rpn.loss").set_value(loss)
        run(test)
        values = table_with(test, "box loss")[column].tolist()
        assert values == sorted(values, reverse=True) and values[0] > values[-1]
    test.segmented_control(key="rpn.label").set_value("background")
    run(test)
    assert "Background has no box to learn" in words(test)


def test_a_trace_of_a_training_step_shows_the_samples_it_drew() -> None:
    test = open_page(view="Training", training=True)
    assert "recorded in training" in words(test)
    training = test.session_state["replayer"].trace.training
    drawn = len(training.anchors.positives) + len(training.anchors.negatives)
    assert len(table_with(test, "box loss")) == drawn
    for view in ("Filters", "Objects"):
        choose_view(test, view)


def test_a_trace_without_its_model_has_all_views_but_a_new_training_step() -> None:
    test = open_page(known=False)
    for view in VIEWS:
        choose_view(test, view)
        assert ("needs the model itself" in words(test)) == (view == "Training")
    test = open_page(view="Training", training=True, known=False)
    assert "recorded in training" in words(test)


def test_no_proposal_is_no_exception_in_any_view() -> None:
    test = open_page(rpn_score=1.0)
    assert len(ledger(test).kept) == 0
    assert "Nothing to show" in words(test)
    for view in VIEWS:
        choose_view(test, view)
    assert table_with(test, "box loss") is not None


@pytest.mark.parametrize("model", ["pyramid_best_class", "maskrcnn_resnet50_fpn", "single map"])
def test_what_happens_here_speaks_of_this_image(model: str) -> None:
    test = open_page(model)
    text = words(test)
    trace = test.session_state["replay"].trace
    assert latex_count(len(trace.rpn.anchors)) in text
    counts = ledger(test).counts()
    assert f"**{counts[ProposalFate.SUPPRESSED]:,}** in all" in text
    assert ("for the RPN alone" in text) == (model == "maskrcnn_resnet50_fpn" or model.startswith("pyramid"))
    # Text after an opening `$$` makes Markdown read on to the end of the page as one broken formula.
    fences = [line for line in text.splitlines() if "$$" in line]
    assert fences and all(line == "$$" for line in fences) and len(fences) % 2 == 0
