"""What the RPN's filters took and left, step by step and box against box, as it is drawn."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from support.models import shared_detector
from support.oracles import iou
from support.rpn_scenes import decoded_by_hand, drawn_boxes, replayed, replayer_of, truth_of
from torchvision.ops import box_iou

from detector import ProposalFate, Replay, Replayer
from viz_app.figures import (
    palette,
    rpn,
    rpn_duels,
    rpn_filter,
)
from viz_app.figures.picture import picture
from viz_app.links import Selected


@cache
def crowded() -> Replay:
    """Every step of the filter removes something."""
    replayer = replayer_of()
    knobs = replayer.trace.thresholds.replace(
        rpn_score=0.3, rpn_nms=0.5, rpn_pre_nms_top_n=300, rpn_post_nms_top_n=40
    )
    return replayer.replay(knobs)


# --- filters and duels ---


def test_fates_are_drawn_in_their_colours_with_what_was_kept_on_top() -> None:
    replay = replayed()
    groups = rpn_filter.fate_groups(replay, list(ProposalFate), limit=10_000)
    figure = picture(replay.trace.input.pixels, groups)
    counts = replay.proposals.counts()
    assert sum(len(group) for group in groups) == len(replay.proposals)
    for fate in ProposalFate:
        if counts[fate]:
            assert len(drawn_boxes(figure, palette.fate_words(fate))) == counts[fate]
    assert groups[-1].name == "kept" and groups[-1].color == "#0072B2"
    kept = replay.proposals.boxes[replay.proposals.kept]
    assert np.allclose(drawn_boxes(figure, "kept"), replay.trace.to_image(kept).numpy(), atol=1e-4)


def test_a_limit_keeps_the_strongest_of_a_fate() -> None:
    replay = replayed()
    found = rpn_filter.strongest(replay, ProposalFate.SUPPRESSED, 7)
    scores = replay.proposals.scores[replay.proposals.with_fate(ProposalFate.SUPPRESSED)]
    assert replay.proposals.scores[found].tolist() == scores.sort(descending=True).values[:7].tolist()


def test_each_step_leaves_what_a_filter_without_the_later_steps_would_keep() -> None:
    replay, replayer = crowded(), replayer_of()
    steps = {step.name: step for step in rpn_filter.filter_steps(replay)}
    assert list(steps) == ["top-n", "clip", "small", "score", "NMS", "limit"]
    knobs, roomy = replay.thresholds, 10_000
    for name, changes in (
        ("small", {"rpn_score": 0.0, "rpn_nms": 1.0, "rpn_post_nms_top_n": roomy}),
        ("score", {"rpn_nms": 1.0, "rpn_post_nms_top_n": roomy}),
        ("NMS", {"rpn_post_nms_top_n": roomy}),
        ("limit", {}),
    ):
        expected = replayer.proposals(knobs.replace(**changes)).kept
        assert sorted(steps[name].left.tolist()) == sorted(expected.tolist())
    for first, second in pairwise(steps.values()):
        assert set(second.left.tolist()) <= set(first.left.tolist())
        removed = 0 if second.fate is None else replay.proposals.counts()[second.fate]
        assert len(first.left) - len(second.left) == removed
    assert all(replay.proposals.counts()[fate] for fate in (ProposalFate.SUPPRESSED, ProposalFate.OVER_LIMIT))
    for step in steps.values():
        scores = replay.proposals.scores[step.left].tolist()
        assert scores == sorted(scores, reverse=True)


def test_a_step_is_drawn_over_what_it_removed_and_unclipped_before_the_clip() -> None:
    replay = crowded()
    steps = {step.name: step for step in rpn_filter.filter_steps(replay)}
    removed, left = rpn_filter.step_groups(replay, steps["NMS"], 10_000)
    assert (removed.name, removed.color) == ("suppressed", palette.fate_color(ProposalFate.SUPPRESSED))
    assert len(removed) == replay.proposals.counts()[ProposalFate.SUPPRESSED]
    assert left.items == rpn.anchor_items(replay.proposals.winners)
    for name, clipped in (("top-n", False), ("clip", True)):
        boxes = rpn_filter.step_groups(replay, steps[name], 30)[-1].boxes
        expected = [
            decoded_by_hand(replay, index, clipped=clipped) for index in steps[name].left[:30].tolist()
        ]
        assert np.allclose(boxes.numpy(), expected, atol=1e-3)


def test_score_floors_keep_fewer_the_higher_they_are() -> None:
    replay = replayed()
    found = rpn_filter.proposals_over(replayer_of(), replay, (0.0, 0.5, 1.0))
    scores = replay.proposals.scores
    assert all(
        bool((scores[kept] >= floor).all()) for kept, floor in zip(found, (0.0, 0.5, 1.0), strict=True)
    )
    assert len(found[0]) >= len(found[1]) >= len(found[2])
    assert torch.equal(found[0], replay.proposals.kept)
    assert [len(group) for group in rpn_filter.floor_groups(replay, found[0], 7)] == [7]
    assert rpn_filter.floor_groups(replay, found[2])[0].total == len(found[2])


def test_objects_can_be_selected_and_crowd_regions_cannot() -> None:
    group = rpn_filter.ground_truth_group(truth_of(replayed()), replayed().trace.categories)[0]
    assert group.items == (Selected("object", 0), Selected("object", 1), None)
    assert rpn_filter.ground_truth_group(None, ()) == []


def test_a_duel_names_a_stronger_kept_box_that_overlaps_over_the_threshold() -> None:
    replay = replayed()
    lost = replay.proposals.with_fate(ProposalFate.SUPPRESSED)[:20].tolist()
    for anchor in lost:
        found = rpn_duels.duel(replay, anchor)
        assert found is not None
        pair = replay.proposals.boxes[[anchor]], replay.proposals.boxes[[found.suppressor]]
        assert found.iou == pytest.approx(float(box_iou(*pair)))
        assert found.iou > replay.thresholds.rpn_nms - 1e-4
        assert found.gap >= 0
        assert found.suppressor in replay.proposals.winners.tolist()
    assert rpn_duels.duel(replay, int(replay.proposals.kept[0])) is None


def test_a_victory_holds_all_that_the_winner_suppressed_by_overlap_and_gap() -> None:
    replay = crowded()
    ledger = replay.proposals
    lost = ledger.with_fate(ProposalFate.SUPPRESSED)
    suppressors = ledger.suppressor_of(lost)
    for winner in suppressors.unique().tolist()[:12]:
        found = rpn_duels.victory(replay, winner)
        assert found is not None
        assert set(found.lost.tolist()) == set(lost[suppressors == winner].tolist())
        for index, overlap, gap in zip(found.lost, found.ious.tolist(), found.gaps.tolist(), strict=True):
            assert overlap == pytest.approx(iou(ledger.boxes[winner], ledger.boxes[index]), abs=1e-5)
            assert gap == pytest.approx(float(ledger.scores[winner] - ledger.scores[index])) and gap >= 0
        assert found.gaps.tolist() == sorted(found.gaps.tolist())
        # Seen from the loser it is the same duel.
        again = rpn_duels.victory(replay, int(found.lost[0]))
        assert again is not None and again.winner == winner
        table = rpn_duels.victory_table(replay, found)
        assert table["anchor"].tolist() == rpn_duels.victory_anchors(found).tolist()
        assert table["NMS"].tolist() == ["won"] + ["suppressed"] * len(found.lost)


def test_equal_scores_have_winners_and_no_gap() -> None:
    trace = replayed().trace
    tied = replace(trace, rpn=replace(trace.rpn, objectness=torch.zeros_like(trace.rpn.objectness)))
    replay = Replayer(tied, shared_detector("pyramid_per_class")).replay()
    lost = replay.proposals.with_fate(ProposalFate.SUPPRESSED)
    assert len(lost) > 0
    for loser in lost[:10].tolist():
        found = rpn_duels.victory(replay, loser)
        assert found is not None and loser in found.lost.tolist()
        assert found.gaps.tolist() == [0] * len(found.lost)
    left = [len(step.left) for step in rpn_filter.filter_steps(replay)]
    assert left == sorted(left, reverse=True) and left[-1] == len(replay.proposals.kept)


def test_a_duel_is_drawn_from_both_sides() -> None:
    replay = crowded()
    loser = int(replay.proposals.with_fate(ProposalFate.SUPPRESSED)[0])
    found = rpn_duels.victory(replay, loser)
    assert found is not None
    others, winner = rpn_duels.victory_groups(replay, found, loser)
    assert Selected("anchor", loser) not in others.items and len(others) == len(found.lost) - 1
    assert winner.items == (Selected("anchor", found.winner),)
    assert winner.labels == (f"won: IoU {float(found.ious[found.lost == loser][0]):.2f}",)
    (victims,) = rpn_duels.victory_groups(replay, found, found.winner)
    assert victims.items == rpn.anchor_items(found.lost)
    below = int(replay.proposals.with_fate(ProposalFate.BELOW_TOP_N)[0])
    assert rpn_duels.victory(replay, below) is None
