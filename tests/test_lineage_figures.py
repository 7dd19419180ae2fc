"""Lineage and false-positive pictures show the numbers of their records; the page section selects what it shows."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from support.models import random_image, random_truth, shared_detector
from support.traces import Candidate, hand_replay, hand_trace, objects

from detector import DetectionFate, Replay, Replayer, capture, diagnose, trace_lineage
from detector.explaining.false_positives import Cause
from detector.explaining.verdicts import Diagnosis
from detector.tracing.lineage import descendants_of, lineage_of_slot
from detector.tracing.lineage_records import Lineage
from detector.tracing.sampling import training_trace
from viz_app.figures import descendants as words
from viz_app.figures import false_positive_causes as causes
from viz_app.figures.lineage import lineage_groups, lineage_row, lineage_steps
from viz_app.figures.palette import rgba
from viz_app.links import Selected

pytestmark = pytest.mark.usefixtures("fresh_caches")


@cache
def replay_of(seed: int = 2) -> Replay:
    detector = shared_detector("pyramid_per_class")
    trace = capture(detector, random_image(seed), random_truth(seed))
    return Replayer(trace, detector).replay(trace.thresholds.replace(box_score=0.1))


def removed() -> Lineage:
    """Of a class slot that another one suppressed."""
    replay = replay_of()
    return lineage_of_slot(replay, int(replay.detections.with_fate(DetectionFate.SUPPRESSED)[0]))


# --- Y2 ---


def test_each_step_says_its_numbers_and_selects_what_it_is_about() -> None:
    replay, lineage = replay_of(), trace_lineage(replay_of(), 0, target=1)
    anchor, proposal, target = lineage.anchor, lineage.proposal, lineage.target
    assert anchor is not None and proposal is not None and target is not None
    steps = lineage_steps(replay, lineage)
    assert [step.title for step in steps] == ["Anchor", "Proposal", "RoI", "Class slot", "Detection"]
    assert [step.iou for step in steps] == [
        target.anchor_iou, target.proposal_iou, None, target.refined_iou, None,
    ]  # fmt: skip
    said = [" ".join((step.headline, *step.notes)).replace("\u2212", "-") for step in steps]
    assert f"level {anchor.level}, row {anchor.y}, column {anchor.x}" in said[0]
    assert f"{proposal.probability:.3f}" in said[1]
    assert f"rank {proposal.level_rank:,} of {proposal.level_count:,} on level" in said[1]
    assert f"dw {proposal.deltas[2]:+.2f}" in said[1] and f"proposal {proposal.place}" in said[1]
    assert f"pooled from level {lineage.roi.level}" in said[2]
    assert f"{lineage.slot.score:.3f}" in said[3] and f"dh {lineage.slot.deltas[3]:+.2f}" in said[3]
    label = lineage.slot.label
    assert [step.item for step in steps] == [
        *[Selected("anchor", anchor.index)] * 3, *[Selected("detection", anchor.index, label)] * 2,
    ]  # fmt: skip


def test_pictures_show_one_part_of_the_image_and_the_box_at_its_place() -> None:
    """Black image: what is drawn is all there is, and the anchor's box lies where it lies in the image."""
    ring = Candidate((20, 20, 60, 60), decoded=(30, 20, 70, 60), refined=(40, 30, 70, 60))
    trace = hand_trace(ring, image_size=(200, 300))
    steps = lineage_steps(Replayer(trace).replay(), trace_lineage(Replayer(trace).replay(), 0))
    assert len({step.thumbnail.shape for step in steps}) == 1
    picture = steps[0].thumbnail
    drawn = np.argwhere(picture.sum(axis=2) > 0)
    size = drawn.max(axis=0) - drawn.min(axis=0) + 1
    # A window of 1.3 x 50 px around all boxes: the anchor of 40 px fills 40 / 65 of it, plus its halo.
    assert size / len(picture) == pytest.approx([40 / 65] * 2, abs=0.03)
    before, after = (np.argwhere(step.thumbnail.sum(axis=2) > 0) for step in (steps[0], steps[4]))
    assert after.min(axis=0)[1] > before.min(axis=0)[1] + 15 / 65 * len(picture)
    row = lineage_row(steps)
    assert row.dtype == np.uint8 and row.shape[1] >= 5 * picture.shape[1]


def test_a_removed_slot_shows_what_removed_it() -> None:
    replay, lineage = replay_of(), removed()
    end = lineage_steps(replay, lineage)[-1]
    assert (end.title, end.headline) == ("Removed", "suppressed")
    assert lineage.slot.suppressor is not None
    score = float(replay.detections.scores[lineage.slot.suppressor])
    assert f"{score:.2f}" in end.notes[0] and f"{lineage.slot.suppressor_iou:.2f}" in end.notes[1]


def test_an_object_that_was_added_as_roi_has_neither_anchor_nor_proposal() -> None:
    detector = shared_detector("pyramid_per_class")
    step = training_trace(detector, capture(detector, random_image(2), random_truth(2)))
    assert step.training is not None
    roi = step.training.rois.is_object.tolist().index(True)
    replay = Replayer(step).replay()
    steps = lineage_steps(replay, lineage_of_slot(replay, roi * (len(step.categories) - 1)))
    assert [one.title for one in steps][:2] == ["RoI", "Class slot"]
    assert "added in training" in steps[0].notes[-1] and all(one.item is None for one in steps)


def test_the_boxes_of_a_lineage_on_the_whole_image() -> None:
    replay, lineage = replay_of(), trace_lineage(replay_of(), 0, target=1)
    groups = {group.name: group for group in lineage_groups(replay.trace, lineage)}
    assert list(groups) == ["object #1", "anchor", "proposal", "refined box"]
    assert torch.allclose(groups["refined box"].boxes[0], replay.boxes[0])
    assert groups["refined box"].items[0] == Selected("detection", lineage.anchor.index, lineage.slot.label)  # type: ignore[union-attr]


def test_descendants_as_table_and_words() -> None:
    replay = hand_replay(Candidate((0, 0, 20, 20)), Candidate((0, 0, 20, 22), scores=(0.3, 0.5, 0.1, 0.1)),
                         Candidate((0, 0, 20, 21), objectness=0.5), rpn_nms=0.94)  # fmt: skip
    first = descendants_of(replay, 0)
    assert words.descendants_words(first) == (
        "Its box was kept as proposal 1. It removed one other box in NMS. As RoI 0 it led to 3 detections, and "
        "its slots removed 3 slots of other RoIs."
    )
    table = words.descendants_table(replay, descendants_of(replay, 1))
    assert list(table["category"]) == ["ring", "cross", "bar"]
    assert list(table["fate"]) == ["suppressed"] * 3
    assert list(table["removed by"]) == ["ring 0.70", "cross 0.10", "bar 0.10"]
    assert words.descendants_items(first)[0] == Selected("detection", 0, 1)
    gone = words.descendants_words(descendants_of(replay, 2))
    assert (
        gone == "Its box was lost: suppressed by the box of anchor 0. Nothing of it reached the second stage."
    )


# --- Y6 ---


def diagnosed() -> Diagnosis:
    """A duplicate, a poor box, one on another class and one on background."""
    boxes = [(20, 20, 40, 40), (22, 20, 42, 40), (60, 20, 80, 40), (20, 60, 40, 80), (60, 60, 80, 80)]
    replay = hand_replay(
        *(Candidate(box, scores=(0.3 + n / 100, 0.6 - n / 100, 0.05, 0.05)) for n, box in enumerate(boxes)),  # type: ignore[arg-type]
        rpn_nms=1.0, box_nms=1.0, box_score=0.2,
    )  # fmt: skip
    return diagnose(replay, objects((20, 20, 40, 40), (70, 20, 90, 40), (20, 60, 40, 80), labels=[1, 1, 2]))


def test_false_positives_by_cause_on_the_picture_in_the_chart_and_in_the_table() -> None:
    diagnosis = diagnosed()
    expected = {Cause.DUPLICATE: 1, Cause.POOR_BOX: 1, Cause.OTHER_CLASS: 1, Cause.BACKGROUND: 1}
    assert {cause: n for cause, n in causes.cause_counts(diagnosis).items() if n} == expected
    groups = causes.false_positive_groups(diagnosis)
    assert [group.name for group in groups] == ["ground truth", *(cause.value for cause in expected)]
    for group, one in zip(groups[1:], diagnosis.false_positives, strict=True):
        assert torch.equal(group.boxes[0], diagnosis.replay.boxes[one.detection])
        assert one.reason in group.hover[0] and group.color == causes.CAUSE_COLORS[one.cause]
        assert group.items[0] == Selected("detection", one.detection, 1)
    some = causes.false_positive_groups(diagnosis, [Cause.POOR_BOX])
    assert [group.name for group in some] == ["ground truth", "poor box"]
    bars = causes.cause_figure(diagnosis).data[0]
    assert dict(zip(bars.y, bars.x, strict=True)) == {cause.value: expected.get(cause, 0) for cause in Cause}
    table = causes.false_positive_table(diagnosis)
    assert list(table["cause"]) == [cause.value for cause in expected]
    assert list(table["type"]) == ["Dupe", "Loc", "Cls", "Bkg"]
    assert list(table["object"]) == ["#0", "#1", "#2", ""]
    assert list(table["score"]) == sorted(table["score"], reverse=True)
    assert causes.false_positive_items(diagnosis) == [group.items[0] for group in groups[1:]]


def test_without_false_positives_there_is_an_empty_chart_and_an_empty_table() -> None:
    replay = hand_replay(Candidate((20, 20, 40, 40)), box_score=0.2)
    diagnosis = diagnose(replay, objects((20, 20, 40, 40)))
    empty = causes.cause_figure(diagnosis)
    assert set(empty.data[0].x) == {0} and empty.layout.xaxis.dtick == 1, "no tick is said twice"
    assert len(causes.false_positive_table(diagnosis)) == 0
    assert "cause" in causes.false_positive_table(diagnosis).columns


def test_every_cause_has_a_colour_and_words_of_its_own() -> None:
    assert set(causes.CAUSE_COLORS) == set(causes.CAUSE_WORDS) == set(Cause)
    assert len({rgba(color) for color in causes.CAUSE_COLORS.values()}) == len(Cause)


# --- the section of the page ---


def page(slot: str) -> None:
    """Runs inside AppTest, which takes the source of this function alone."""
    import streamlit as st
    from test_lineage_figures import removed, replay_of

    from detector.tracing.lineage import trace_lineage
    from viz_app.app_pages.why_lineage import show_lineage
    from viz_app.scene import Scene

    replay = replay_of()
    lineage = removed() if slot == "removed" else trace_lineage(replay, 0)
    st.session_state["lineage"] = lineage
    show_lineage(Scene(None, replay.trace, None, replay, None), lineage.slot.slot)  # type: ignore[arg-type]


def test_the_section_shows_the_chain_its_text_and_what_else_the_anchor_led_to() -> None:
    test = AppTest.from_function(page, default_timeout=120, kwargs={"slot": "removed"}).run()
    assert not test.exception, test.exception
    lineage = test.session_state["lineage"]
    text = re.sub(r"\\(.)", r"\1", "\n".join(markdown.value for markdown in test.markdown))
    for title in ("Anchor", "Proposal", "RoI", "Class slot", "Removed"):
        assert f"**{title}**" in text
    assert f"rank {lineage.proposal.level_rank:,} of {lineage.proposal.level_count:,}" in text
    assert f"kept as proposal {lineage.proposal.place}" in text
    assert "class slot" in test.code[0].value
    assert len(test.dataframe) == 1 and list(test.dataframe[0].value["fate"]).count("suppressed") >= 1
    test.button(key="why.lineage.suppressor").click().run()
    assert not test.exception, test.exception
    selected = Selected.parse(test.query_params["select"])
    assert (selected.kind, selected.label) == ("detection", lineage.slot.label)
    assert selected.index != lineage.anchor.index
