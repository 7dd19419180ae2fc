"""Both filters at the very edge of each threshold, and NMS on the coordinates that torchvision gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.traces import Box, Candidate, hand_replay, hand_trace
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from detector import DetectionFate, ProposalFate, Replayer
from detector.tracing.trace import FilterRules

HERE: Box = (20, 20, 60, 60)
EVEN = (0.25, 0.25, 0.25, 0.25)
# In order of score, IoU 0.4 with one another; LOST has 0.5 with the first and 0.8 with the second.
FIRST, SECOND, LOST = (0, 0, 10, 10), (0, 0, 10, 4), (0, 0, 10, 5)


class SeenByNms(TorchDispatchMode):
    """Notes the boxes that torchvision's NMS is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes: list[Tensor] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.torchvision.nms.default:
            self.boxes.append(args[0].clone())
        return func(*args, **(kwargs or {}))


def staircase(*scores: float) -> tuple[Candidate, ...]:
    """FIRST, SECOND and LOST, with these scores of the first class."""
    return tuple(
        Candidate(box, 0.9 - 0.1 * place, (1 - score, score, 0.0, 0.0))
        for place, (box, score) in enumerate(zip((FIRST, SECOND, LOST), scores, strict=True))
    )


def test_a_score_on_the_threshold_passes_the_rpn_and_not_the_box_filter() -> None:
    """torchvision compares the first with >=, the second with >."""
    on, below = Candidate(HERE, 0.5, EVEN), {"rpn_score": 0.5, "box_score": 0.249}
    at = hand_replay(on, rpn_score=0.5, box_score=0.25)
    assert at.proposals.fate.tolist() == [ProposalFate.KEPT]
    assert at.detections.fate.tolist() == [DetectionFate.LOW_SCORE] * 3
    assert hand_replay(on, **below).detections.fate.tolist() == [DetectionFate.KEPT] * 3
    assert hand_replay(on, rpn_score=0.501).proposals.fate.tolist() == [ProposalFate.LOW_SCORE]


def test_an_overlap_on_the_threshold_suppresses_nobody() -> None:
    replay = hand_replay(Candidate(FIRST, 0.9), Candidate(LOST, 0.8), rpn_nms=0.5)
    assert replay.proposals.fate.tolist() == [ProposalFate.KEPT] * 2
    assert hand_replay(Candidate(FIRST, 0.9), Candidate(LOST, 0.8), rpn_nms=0.49).proposals.fate.tolist() == [
        ProposalFate.KEPT,
        ProposalFate.SUPPRESSED,
    ]


def test_the_suppressor_is_the_first_over_the_threshold_not_one_on_it() -> None:
    replay = hand_replay(*staircase(0.9, 0.8, 0.7), rpn_nms=0.5, box_nms=0.5)
    assert replay.proposals.suppressor_of(torch.tensor([2])).tolist() == [1]
    assert replay.proposals.suppressed_by(1).tolist() == [2]
    assert replay.proposals.suppressed_by(0).tolist() == []
    assert replay.detections.with_fate(DetectionFate.SUPPRESSED).tolist() == []  # RoI 2 was no proposal
    everyone = hand_replay(*staircase(0.9, 0.8, 0.7), rpn_nms=1.0, box_nms=0.5)
    assert everyone.detections.suppressor_of(torch.tensor([6])).tolist() == [3]


def test_where_rounding_hides_the_overlap_the_largest_counts() -> None:
    """NMS and the table of IoUs may round differently; a suppressed box has a suppressor all the same."""
    ledger = hand_replay(*staircase(0.9, 0.8, 0.7), rpn_nms=0.5).proposals
    assert replace(ledger, nms_iou=0.9).suppressor_of(torch.tensor([2])).tolist() == [1]


def test_suppressors_are_asked_for_by_number_list_or_tensor() -> None:
    ledger = hand_replay(*staircase(0.9, 0.8, 0.7), rpn_nms=0.5).proposals
    for asked in (2, [2], torch.tensor(2), torch.tensor([2], dtype=torch.int32)):
        found = ledger.suppressor_of(asked)
        assert found.tolist() == [1] and found.dtype == torch.int64
    assert ledger.suppressor_of(torch.tensor([2, 0, 2])).tolist() == [1, -1, 1]
    assert ledger.suppressor_of(torch.tensor([0, 1])).tolist() == [-1, -1]
    assert ledger.suppressor_of([]).shape == (0,)


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001])
def test_nms_compares_the_very_coordinates_that_the_ledger_tells(count: int) -> None:
    """Up to 4,000 numbers torchvision shifts the boxes of each label apart; above it goes label by label."""
    places = [(x % 90, x // 90, x % 90 + 8, x // 90 + 8) for x in range(count + 1)]
    row = [Candidate(box, 0.9 - 0.0005 * place, level=2 * place // (count + 1)) for place, box in
           enumerate(places)]  # fmt: skip
    trace = hand_trace(*row, rules=FilterRules(rpn_min_size=2))
    trace.rpn.deltas[count] = torch.tensor([0.0, 0, -9, -9])  # too small: it never enters
    with SeenByNms() as seen:
        ledger = Replayer(trace).proposals()
    assert len(ledger.entrants) == count
    told = ledger.compared_boxes()
    if count > 1000:
        assert torch.equal(told, ledger.boxes[ledger.entrants])
        assert sum(len(part) for part in seen.boxes) == count and len(seen.boxes) == 2
    elif count:
        assert len(seen.boxes) == 1 and torch.equal(told, seen.boxes[0])
    else:
        assert told.shape == (0, 4)


def test_the_limit_keeps_the_first_winners_and_each_level_its_own_top_n() -> None:
    apart = [Candidate((x, 0, x + 8, 8), 0.9 - x / 100, level=x // 50) for x in range(0, 100, 10)]
    replay = hand_replay(*apart, rpn_pre_nms_top_n=3, rpn_post_nms_top_n=4)
    kept, below, over = ProposalFate.KEPT, ProposalFate.BELOW_TOP_N, ProposalFate.OVER_LIMIT
    assert replay.proposals.fate.tolist() == [kept] * 3 + [below] * 2 + [kept] + [over] * 2 + [below] * 2
    assert replay.proposals.winners.tolist() == [0, 1, 2, 5, 6, 7]
    assert replay.proposals.kept.tolist() == [0, 1, 2, 5]
    assert replay.proposals.labels.tolist() == [0] * 5 + [1] * 5
    assert replay.proposals.counts() == {
        fate: {kept: 4, below: 4, over: 2}.get(fate, 0) for fate in ProposalFate
    }


def test_ledgers_are_of_the_types_they_are_said_to_be() -> None:
    replay = hand_replay(*staircase(0.9, 0.8, 0.7))
    for ledger in (replay.proposals, replay.detections):
        assert ledger.fate.dtype == torch.uint8
        for column in (ledger.kept, ledger.winners, ledger.entrants, ledger.labels):
            assert column.dtype == torch.int64
        assert ledger.boxes.shape == (len(ledger), 4)
        assert list(ledger.counts()) == list(ledger.fates), "also those that nobody met"
    assert replay.proposals.counts()[ProposalFate.OVER_LIMIT] == 0


@pytest.mark.parametrize("rule", ["per_class", "best_class"])
def test_under_the_best_class_rule_one_slot_of_a_roi_is_left_at_most(rule: Any) -> None:
    """The first RoI is won by class 2, the second by the background."""
    rivals = (
        Candidate(HERE, scores=(0.1, 0.3, 0.4, 0.2)),
        Candidate((0, 0, 9, 9), 0.8, scores=(0.4, 0.3, 0.2, 0.1)),
    )
    trace = hand_trace(*rivals, rules=FilterRules(detection_rule=rule))
    kept, low, other = DetectionFate.KEPT, DetectionFate.LOW_SCORE, DetectionFate.OTHER_CLASS
    replayer = Replayer(trace)
    fates = replayer.replay(trace.thresholds.replace(box_score=0.25)).detections.fate.tolist()
    if rule == "per_class":
        assert fates == [kept, kept, low, kept, low, low]
    else:
        assert fates == [other, kept, other, other, other, other]
        high = replayer.replay(trace.thresholds.replace(box_score=0.45))
        assert high.detections.fate.tolist() == [other, low, other, other, other, other]


def test_slots_rois_and_labels_lead_to_one_another() -> None:
    replay = hand_replay(*staircase(0.9, 0.8, 0.7), Candidate(HERE, 0.3))
    slots = torch.arange(len(replay.detections))
    assert replay.roi_of(slots).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3][: len(slots)]
    assert torch.equal(replay.slot_of(replay.roi_of(slots), replay.detections.labels), slots)
    assert replay.detections.labels.tolist() == [1, 2, 3] * (len(slots) // 3)
