"""The RPN's proposals against the objects, and its training samples and losses, as they are drawn."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from support.models import shared_detector
from support.oracles import iou
from support.rpn_scenes import MODELS, WIDTH, decoded_by_hand, replayed, replayer_of, truth_of
from torchvision.ops import box_iou

from detector import GroundTruth, ProposalFate, Trace
from detector.tracing.anchor_losses import anchor_terms, label_confusion, members_of, ranked, view_of
from detector.tracing.sampling import training_trace
from viz_app.figures import (
    palette,
    rpn,
    rpn_coverage,
    rpn_losses,
    rpn_nearest,
    rpn_samples,
    rpn_tables,
)
from viz_app.links import Selected


@cache
def stepped(seed: int = 3) -> Trace:
    return training_trace(shared_detector("pyramid_per_class"), replayed().trace, seed)


# --- objects ---


@pytest.mark.parametrize("name", MODELS)
def test_coverage_falls_from_step_to_step_and_ends_at_the_proposals(name: str) -> None:
    replay = replayed(name)
    truth = replay.trace.ground_truth
    assert truth is not None
    steps = rpn_coverage.recall_steps(replay, truth)
    assert [step.boxes for step in steps[:2]] == [len(replay.trace.rpn.anchors)] * 2
    assert steps[-1].boxes == len(replay.proposals.kept)
    for first, second in pairwise(steps[1:]):
        assert (second.best <= first.best).all()
    kept = replay.trace.to_image(replay.proposals.boxes[replay.proposals.kept])
    expected = [max(float(box_iou(box[None], other[None])) for other in kept) for box in truth.boxes[:2]]
    assert steps[-1].best.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_recall_bars_add_up_to_the_objects_of_every_size() -> None:
    steps = [
        rpn_coverage.RecallStep("a", 9, torch.tensor([0.9, 0.5, 0.1])),
        rpn_coverage.RecallStep("b", 0, torch.zeros(3)),
    ]
    boxes = torch.tensor([[0.0, 0.0, 31.9, 32.0], [0.0, 0.0, 32.0, 32.0], [0.0, 0.0, 96.0, 96.0]])
    sizes = rpn_coverage.size_members(GroundTruth(boxes, torch.tensor([1, 1, 1])))
    assert {name: members.tolist() for name, members in sizes.items()} == {
        "small": [True, False, False], "medium": [False, True, False], "large": [False, False, True],
    }  # fmt: skip
    figure = rpn_coverage.recall_figure(steps, sizes, iou=0.5)
    assert [list(bars.x) for bars in figure.data] == [[1, 0], [1, 0], [0, 0], [1, 3]]
    table = rpn_coverage.recall_table(steps, sizes, iou=0.5)
    assert table["objects"].tolist() == ["2 of 3", "0 of 3"]
    assert table["large"].tolist() == ["0 of 1", "0 of 1"]
    assert "large" not in rpn_coverage.recall_table(steps, {**sizes, "large": torch.zeros(3).bool()})


def test_sizes_and_rows_leave_crowd_regions_out() -> None:
    replay = replayed()
    truth = truth_of(replay)
    assert sum(int(members.sum()) for members in rpn_coverage.size_members(truth).values()) == 2
    steps = rpn_coverage.recall_steps(replay, truth)
    table = rpn_coverage.coverage_table(steps, truth, replay.trace.categories)
    assert [name.split()[0] for name in table["object"]] == ["#0", "#1"]
    assert table["proposals"].tolist() == pytest.approx(steps[-1].best.tolist())


@pytest.mark.parametrize("name", MODELS)
def test_the_nearest_boxes_of_an_object_are_those_of_highest_overlap(name: str) -> None:
    replay = replayed(name)
    trace, ledger = replay.trace, replay.proposals
    box = truth_of(replay).boxes[1]
    found = rpn_nearest.nearest_to(replay, box)
    for members, boxes, ious in (
        (found.anchors, trace.rpn.anchors, found.anchor_ious),
        (found.proposals, ledger.boxes[ledger.kept], found.proposal_ious),
    ):
        expected = sorted((iou(other, box) for other in trace.to_image(boxes)), reverse=True)[:3]
        assert ious.tolist() == pytest.approx(expected, abs=1e-5)
        assert len(members) == 3
    assert set(found.proposals.tolist()) <= set(ledger.kept.tolist())
    groups = {group.name: group for group in rpn_nearest.nearest_groups(replay, found, box)}
    assert torch.equal(
        groups["anchors of the proposals"].boxes, trace.to_image(trace.rpn.anchors[found.proposals])
    )
    assert torch.equal(groups["closest proposals"].boxes, trace.to_image(ledger.boxes[found.proposals]))
    table = rpn_nearest.nearest_table(replay, found)
    assert table["anchor"].tolist() == rpn_nearest.nearest_anchors(found).tolist()


def test_nothing_is_near_where_there_is_no_proposal() -> None:
    replay = replayer_of().replay(replayed().thresholds.replace(rpn_score=1.0))
    found = rpn_nearest.nearest_to(replay, truth_of(replay).boxes[0])
    assert len(replay.proposals.kept) == len(found.proposals) == 0 < len(found.anchors)
    steps = rpn_coverage.recall_steps(replay, truth_of(replay))
    assert steps[-1].boxes == 0 and steps[-1].best.tolist() == [0, 0]
    assert len(rpn_nearest.nearest_table(replay, found)) == 3


def test_objects_are_green_or_red_by_their_overlap_inclusive() -> None:
    step = rpn_coverage.RecallStep("anchors", 5, torch.tensor([0.5, 0.49]))
    truth = truth_of(replayed())
    green, red = rpn_nearest.covered_groups(truth, replayed().trace.categories, step, iou=0.5)
    assert (green.color, red.color) == (palette.FOUND, palette.LOST)
    assert (green.items, red.items) == ((Selected("object", 0),), (Selected("object", 1),))
    assert red.labels == ("#1 0.49",)


def test_the_object_in_focus_is_the_selected_one_or_that_of_the_selected_anchor() -> None:
    replay = replayed()
    boxes = replay.trace.to_image(replay.proposals.boxes)
    best = int(box_iou(boxes, truth_of(replay).boxes[[1]]).argmax())
    assert rpn_nearest.focused_object(replay, Selected("anchor", best)) == 1
    assert rpn_nearest.focused_object(replay, Selected("object", 0)) == 0
    assert rpn_nearest.focused_object(replay, Selected("cell", 3)) is None
    assert rpn_nearest.focused_object(replay, None) is None


def test_rpn_tables_say_what_the_ledger_says() -> None:
    replay = replayed()
    levels = rpn_tables.level_table(replay)
    assert sum(levels["anchors"].tolist()) == len(replay.proposals)
    assert sum(levels["proposals"].tolist()) == len(replay.proposals.kept)
    assert (
        sum(levels["top-n"].tolist())
        == len(replay.proposals) - replay.proposals.counts()[ProposalFate.BELOW_TOP_N]
    )
    chosen = rpn.top_anchors(replay, 9)
    table = rpn_tables.anchor_table(replay, chosen)
    assert table["anchor"].tolist() == chosen.tolist()
    for row, anchor in zip(table.itertuples(), chosen.tolist(), strict=True):
        assert row.fate == palette.fate_words(ProposalFate(int(replay.proposals.fate[anchor])))
        assert row.objectness == float(replay.proposals.scores[anchor])
    x1, _, x2, _ = decoded_by_hand(replay, int(chosen[0]))
    scale = replay.trace.input.network_size[1] / WIDTH
    clipped = rpn_tables.delta_table(replay, int(chosen[0])).iloc[3]
    assert clipped["w"] == pytest.approx((x2 - x1) * scale, abs=1e-3)
    assert clipped["x"] == pytest.approx((x1 + x2) / 2 * scale, abs=1e-3)


# --- training ---


def test_drawn_anchors_are_where_they_are_and_targets_on_their_objects() -> None:
    step = stepped()
    view = view_of(step)
    shown = rpn_samples.SAMPLE_KINDS
    groups = {group.name: group for group in rpn_samples.sample_groups(step, shown)}
    for name, members in (
        ("drawn positives", view.anchors.positives),
        ("drawn negatives", view.anchors.negatives),
        ("rescued", view.anchors.rescued.nonzero().flatten()),
    ):
        assert torch.equal(groups[name].boxes, step.to_image(step.rpn.anchors[members]))
        assert groups[name].items == rpn.anchor_items(members)
    objects = truth_of(replayed()).boxes[view.anchors.matched[view.anchors.positives]]
    assert len(objects) > 0
    assert np.allclose(groups["targets"].boxes.numpy(), objects.numpy(), atol=0.05)
    counts = rpn_samples.label_counts(view)
    assert counts["positive"] + counts["negative"] + counts["ignored"] == len(step.rpn.anchors)
    assert groups["ignored"].total == counts["ignored"]


def test_the_table_of_the_batch_averages_to_the_losses() -> None:
    step = stepped()
    losses, table = view_of(step).losses, rpn_losses.loss_table(step, rpn_losses.drawn_by_loss(step))
    assert len(table) == len(view_of(step).anchors.positives) + len(view_of(step).anchors.negatives)
    assert np.mean(table["objectness loss"]) == pytest.approx(losses.rpn_cls, rel=1e-4)
    assert np.mean(table["box loss"]) == pytest.approx(losses.rpn_bbox, rel=1e-4)
    assert bool(table["drawn"].all())
    assert f"= **{losses.rpn_cls:.4f}**" in rpn_losses.loss_words(step)
    positives = [label != "negative" for label in table["label"]]
    assert positives == sorted(positives, reverse=True)


@pytest.mark.parametrize("positive", [True, False])
def test_the_worst_anchors_are_drawn_with_their_loss_and_targets_only_for_objects(positive: bool) -> None:
    step = stepped()
    terms = anchor_terms(step)
    worst = ranked(terms, members_of(view_of(step), positive=positive, drawn=False), "sum")[:5]
    groups = rpn_samples.loss_groups(step, worst, positive=positive)
    assert torch.equal(groups[0].boxes, step.to_image(step.rpn.anchors[worst]))
    assert groups[0].labels == tuple(f"{value:.2f}" for value in terms.of("sum")[worst].tolist())
    assert [group.name for group in groups[1:]] == (["predicted", "targets"] if positive else [])
    selected = rpn_samples.selected_sample_groups(step, int(worst[0]))
    assert ("its target" in [group.name for group in selected]) == positive


def test_the_scatter_holds_target_and_prediction_of_every_delta() -> None:
    step = stepped()
    positives = members_of(view_of(step), positive=True, drawn=False)
    figure = rpn_losses.target_scatter(step, positives, int(positives[0]))
    for place, name in enumerate(("dx", "dy", "dw", "dh")):
        points = next(trace for trace in figure.data if trace.name == name)
        assert np.allclose(points.x, view_of(step).anchors.targets[positives, place].numpy())
        assert np.allclose(points.y, step.rpn.deltas[positives, place].numpy())
        assert [color == palette.SELECTED for color in points.marker.color] == [
            index == int(positives[0]) for index in positives.tolist()
        ]


def test_the_confusion_shows_counts_and_shares_of_each_row() -> None:
    step = stepped()
    every = torch.arange(len(step.rpn.anchors))
    heat, letters = rpn_losses.confusion_figure(step, every).data
    counts = label_confusion(step, every)
    texts = [text.split("<br>")[0] for text in letters.text]
    assert texts == [f"{count:,}" for count in counts.flatten().tolist()]
    assert np.array_equal(heat.customdata, counts.numpy())
    for row in range(2):
        assert sum(heat.z[row]) == pytest.approx(1)
    empty = rpn_losses.confusion_figure(step, torch.zeros(0).long()).data[0]
    assert np.asarray(empty.z).sum() == 0
