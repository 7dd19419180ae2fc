"""Every number of a lineage, computed again by hand from the raw tensors; the reverse leads back."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from support.models import random_image, random_truth, shared_detector, single_map_detector
from support.oracles import iou
from support.traces import Candidate, hand_replay, hand_trace, objects
from torchvision.models.detection._utils import BoxCoder

from detector import (
    DetectionFate,
    Detector,
    GroundTruth,
    ProposalFate,
    Replay,
    Replayer,
    capture,
    trace_lineage,
)
from detector.tracing.lineage import descendants_of, lineage_of_slot
from detector.tracing.lineage_records import Placed
from detector.tracing.lineage_text import descendants_text, lineage_text
from detector.tracing.sampling import training_trace

MODELS = (
    "pyramid_best_class",  # boxes do not depend on the class
    "pyramid_per_class",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "single map",
)
SIZE = (112, 80)  # resized: both frames differ


def replay_of(name: str, **thresholds: float) -> Replay:
    detector: Detector = single_map_detector() if name == "single map" else shared_detector(name)
    truth = random_truth(2, SIZE, classes=detector.num_classes)
    trace = capture(detector, random_image(2, SIZE), truth)
    return Replayer(trace, detector).replay(trace.thresholds.replace(**thresholds))


def slots_of_each_fate(replay: Replay) -> list[int]:
    """Two class slots of every fate that occurs."""
    ledger, chance = replay.detections, random.Random(0)
    found = [ledger.with_fate(fate).tolist() for fate in DetectionFate]
    return [slot for slots in found for slot in chance.sample(slots, min(2, len(slots)))]


def close(given: tuple[float, ...], expected: torch.Tensor, within: float = 1e-3) -> None:
    assert given == pytest.approx(expected.tolist(), abs=within)


def in_both_frames(replay: Replay, box: Placed, network: torch.Tensor) -> None:
    """The box, and the same one scaled by hand."""
    (height, width), (h, w) = replay.trace.input.image_size, replay.trace.input.network_size
    scale = torch.tensor([width / w, height / h, width / w, height / h])
    close(box.network, network)
    close(box.image, network * scale)


def clipped(replay: Replay, box: torch.Tensor) -> torch.Tensor:
    height, width = replay.trace.input.network_size
    return torch.minimum(box.clamp(min=0), torch.tensor([width, height, width, height]))


@pytest.mark.parametrize("name", MODELS)
def test_anchor_and_proposal_are_those_of_the_raw_tensors(name: str) -> None:
    replay = replay_of(name, box_score=0.1)
    rpn, ledger = replay.trace.rpn, replay.proposals
    places = {}
    for level, (h, w, kinds) in enumerate(rpn.grid):
        for y in range(h):
            for x in range(w):
                places |= {len(places) + kind: (level, y, x, kind) for kind in range(kinds)}
    for slot in slots_of_each_fate(replay):
        lineage = lineage_of_slot(replay, slot)
        anchor, proposal = lineage.anchor, lineage.proposal
        assert anchor is not None and proposal is not None
        index = int(ledger.kept[slot // (len(replay.trace.categories) - 1)])
        assert anchor.index == index
        assert (anchor.level, anchor.y, anchor.x, anchor.kind) == places[index]
        box = rpn.anchors[index]
        width, height = (box[2:] - box[:2]).tolist()
        assert anchor.size**2 == pytest.approx(width * height) and anchor.ratio == height / width
        in_both_frames(replay, anchor.box, box)
        logits = rpn.objectness.tolist()
        assert proposal.objectness == logits[index]
        assert proposal.probability == pytest.approx(1 / (1 + math.exp(-logits[index])), abs=1e-6)
        assert proposal.rank == sum(value > logits[index] for value in logits) + 1
        same = [logits[other] for other, place in places.items() if place[0] == anchor.level]
        assert (proposal.level_rank, proposal.level_count) == (
            sum(value > logits[index] for value in same) + 1, len(same),
        )  # fmt: skip
        assert proposal.count == len(logits) and proposal.place == ledger.kept.tolist().index(index) + 1
        close(proposal.deltas, rpn.deltas[index])
        decoded = BoxCoder(replay.trace.rules.rpn_weights).decode(rpn.deltas[[index]], [rpn.anchors[[index]]])
        in_both_frames(replay, proposal.box, clipped(replay, decoded.reshape(4)))
        assert proposal.fate is ProposalFate.KEPT and proposal.suppressor is None


@pytest.mark.parametrize("name", MODELS)
def test_roi_and_class_slot_are_those_of_the_raw_tensors(name: str) -> None:
    replay = replay_of(name, box_score=0.1)
    head, rules, names = replay.head, replay.trace.rules, replay.trace.categories
    shared = head.deltas.shape[1] == 4
    assert shared == name.startswith("pyramid")
    fates = set()
    for slot in slots_of_each_fate(replay):
        lineage = lineage_of_slot(replay, slot)
        roi, label = slot // (len(names) - 1), slot % (len(names) - 1) + 1
        step = lineage.slot
        assert (step.slot, step.label, lineage.roi.index) == (slot, label, roi)
        assert lineage.roi.level == int(head.level[roi])
        in_both_frames(replay, lineage.roi.box, head.boxes[roi])
        assert step.before == lineage.roi.box
        raw = head.deltas[roi] if shared else head.deltas[roi, 4 * label : 4 * label + 4]
        close(step.deltas, raw)
        coder = BoxCoder(rules.box_weights)
        refined = coder.decode(raw[None], [head.boxes[[roi]]]).reshape(4)
        in_both_frames(replay, step.after, clipped(replay, refined))
        chances = head.class_logits[roi].softmax(0).tolist()
        assert step.score == pytest.approx(chances[label], abs=1e-6)
        best = sorted(range(len(names)), key=lambda one: -chances[one])[:5]
        assert [label for label, _ in step.top] == best
        assert [score for _, score in step.top] == pytest.approx([chances[one] for one in best], abs=1e-6)
        assert step.fate == DetectionFate(int(replay.detections.fate[slot]))
        fates.add(step.fate)
        assert (lineage.detection is not None) == (step.fate is DetectionFate.KEPT)
        if step.suppressor is None:
            assert step.fate is not DetectionFate.SUPPRESSED
            continue
        assert step.suppressor_iou is not None and step.suppressor_iou > replay.thresholds.box_nms - 1e-4
        other = lineage_of_slot(replay, step.suppressor)
        assert other.slot.label == label and other.slot.score >= step.score
        overlap = iou(torch.tensor(other.slot.after.image), torch.tensor(step.after.image))
        assert step.suppressor_iou == pytest.approx(overlap, abs=1e-6)
    assert {DetectionFate.KEPT, DetectionFate.SUPPRESSED, DetectionFate.LOW_SCORE} & fates
    assert name != "pyramid_best_class" or DetectionFate.OTHER_CLASS in fates


@pytest.mark.parametrize("name", MODELS)
def test_each_detection_is_followed_to_its_own_anchor_and_back(name: str) -> None:
    replay = replay_of(name)
    for place in range(min(len(replay.labels), 5)):
        lineage = trace_lineage(replay, place)
        assert lineage.detection == place and lineage.anchor is not None
        assert lineage.slot.label == int(replay.labels[place])
        assert lineage.slot.score == float(replay.scores[place])
        close(lineage.slot.after.image, replay.boxes[place])
        found = descendants_of(replay, lineage.anchor.index)
        assert place in found.detections and lineage.slot in found.slots
        assert found.anchor == lineage.anchor and found.proposal == lineage.proposal
        assert found.roi == lineage.roi


def test_what_comes_of_an_anchor_is_all_that_names_it() -> None:
    replay = replay_of("pyramid_per_class", box_score=0.01, box_nms=0.3)
    kept, ledger = replay.proposals.kept.tolist(), replay.detections
    suppressed = replay.proposals.with_fate(ProposalFate.SUPPRESSED)
    by = dict(zip(suppressed.tolist(), replay.proposals.suppressor_of(suppressed).tolist(), strict=True))
    lost = ledger.with_fate(DetectionFate.SUPPRESSED)
    lost_by = dict(zip(lost.tolist(), ledger.suppressor_of(lost).tolist(), strict=True))
    classes = len(replay.trace.categories) - 1
    removers = 0
    for place in (0, 1, len(kept) - 1):
        found = descendants_of(replay, kept[place])
        assert found.proposal.place == place + 1
        assert found.suppressed == tuple(sorted(one for one, by_ in by.items() if by_ == kept[place]))
        own = range(place * classes, (place + 1) * classes)
        assert sorted(step.slot for step in found.slots) == list(own)
        scores = [step.score for step in found.slots]
        assert scores == sorted(scores, reverse=True)
        assert found.suppressed_slots == tuple(sorted(one for one, by_ in lost_by.items() if by_ in own))
        places = [n for n, slot in enumerate(ledger.kept.tolist()) if slot in own]
        assert found.detections == tuple(places)
        removers += len(found.suppressed) + len(found.suppressed_slots)
    assert removers > 0, "nothing was removed: the test shows nothing"
    first = next(iter(by))
    gone = descendants_of(replay, first)
    assert gone.proposal.suppressor == by[first] and gone.proposal.place is None
    assert (gone.roi, gone.slots, gone.detections, gone.suppressed_slots) == (None, (), (), ())
    assert "none: the box did not reach the second stage" in descendants_text(gone, replay.trace.categories)


# --- the object that the boxes are compared with ---


def two_rings(truth: GroundTruth | None) -> Replay:
    """An anchor moved twice: 20 px left of the object, 10 px left of it, on it; image twice the network's size."""
    ring = Candidate((0, 10, 20, 30), decoded=(10, 10, 30, 30), refined=(20, 10, 40, 30))
    return Replayer(hand_trace(ring, truth=truth, image_size=(200, 200), network_size=(100, 100))).replay()


def test_iou_with_the_object_rises_on_the_way() -> None:
    lineage = trace_lineage(two_rings(objects((40, 20, 80, 60))), 0)
    target = lineage.target
    assert target is not None and (target.object, target.label) == (0, 1)
    close(target.box.network, torch.tensor([20.0, 10, 40, 30]))
    assert target.anchor_iou == pytest.approx(0.0)
    assert target.proposal_iou == pytest.approx(1 / 3, abs=1e-4)
    assert target.refined_iou == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("boxes", "labels", "crowd", "expected"),
    [
        ([(0, 0, 10, 10), (50, 20, 80, 60), (40, 20, 80, 60)], [1, 1, 2], (), 1),  # its category first
        ([(0, 0, 10, 10), (40, 20, 80, 60)], [1, 2], (), 1),  # else any that it overlaps
        ([(40, 20, 80, 60), (50, 20, 80, 60)], [1, 1], (True, False), 1),  # no crowd region
        ([(150, 150, 160, 160)], [1], (), None),  # nothing near
        ([], [], (), None),
    ],
)
def test_the_nearest_object_is_chosen(
    boxes: list[tuple[float, float, float, float]], labels: list[int], crowd: tuple[bool, ...], expected: int
) -> None:
    replay = two_rings(objects(*boxes, labels=labels, crowd=crowd))
    target = trace_lineage(replay, 0).target
    assert (None if target is None else target.object) == expected
    for index in range(len(boxes)):
        chosen = trace_lineage(replay, 0, target=index).target
        assert chosen is not None and chosen.object == index
    with pytest.raises(ValueError, match="object"):
        trace_lineage(replay, 0, target=len(boxes))


def test_without_ground_truth_there_is_nothing_to_compare_with() -> None:
    replay = two_rings(None)
    assert trace_lineage(replay, 0).target is None
    with pytest.raises(ValueError, match=r"object is .*; but there is no object"):
        trace_lineage(replay, 0, target=0)


@pytest.mark.parametrize("index", [-1, 3, True, 0.0])
def test_numbers_that_name_nothing_are_refused(index: int) -> None:
    replay = two_rings(None)
    for asked, ask in (("detection", trace_lineage), ("anchor", descendants_of)):
        with pytest.raises(ValueError, match=f"{asked} is .*; expected 0 to"):
            ask(replay, index)
    with pytest.raises(ValueError, match="slot is 3; expected 0 to 2"):
        lineage_of_slot(replay, 3)
    assert trace_lineage(replay, np.int64(0)) == trace_lineage(replay, 0), "as a table's column holds it"
    nothing = hand_replay(Candidate((0, 0, 9, 9)), box_score=1.0)
    with pytest.raises(ValueError, match=r"detection is .*; but there is no detection"):
        trace_lineage(nothing, 0)


# --- training: RoIs that were drawn, and objects among them ---


def test_rois_of_a_training_step_lead_to_their_anchor_or_to_the_object_that_was_added() -> None:
    detector = shared_detector("pyramid_per_class")
    truth = random_truth(2)
    step = training_trace(detector, capture(detector, random_image(2), truth))
    replay = Replayer(step).replay()
    assert step.training is not None
    added = step.training.rois.is_object.tolist()
    assert any(added) and not all(added)
    classes = len(step.categories) - 1
    for roi in (added.index(True), added.index(False)):
        lineage = lineage_of_slot(replay, roi * classes)
        if added[roi]:
            assert lineage.anchor is None and lineage.proposal is None
            assert lineage.roi.object is not None
            close(lineage.roi.box.image, truth.boxes[lineage.roi.object], within=1e-2)
            assert f"object #{lineage.roi.object} added in training" in lineage_text(lineage, step.categories)
        else:
            assert lineage.anchor is not None and lineage.proposal is not None
            assert lineage.roi.object is None
            assert lineage.proposal.box == lineage.roi.box
            assert descendants_of(replay, lineage.anchor.index).roi == lineage.roi
