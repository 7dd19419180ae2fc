"""Each false positive has one cause and TIDE's type; a label taken away on purpose is missed by the detector."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.models import random_image, random_truth, shared_detector
from support.oracles import iou
from support.traces import Box, Candidate, hand_replay, objects

from detector import GroundTruth, Replay, Replayer, capture, diagnose, load_detector
from detector.data import ShapesDataset
from detector.explaining.agreement import Agreement, agreements, is_missing_label
from detector.explaining.false_positives import (
    Cause,
    FalsePositive,
    TideType,
    false_positives_of,
    missed_objects,
)
from detector.explaining.matching import match_detections
from detector.explaining.verdicts import Diagnosis

RING, CROSS = 1, 2
SURE = (0.02, 0.96, 0.01, 0.01)
DULL = (0.3, 0.6, 0.05, 0.05)


def rings(*boxes: Box, scores: tuple[float, ...] = DULL) -> Replay:
    """Detections of rings at these boxes, the first one best; nothing is removed."""
    found = [
        Candidate(box, scores=(scores[0] + 0.01 * place, scores[1] - 0.01 * place, *scores[2:]))
        for place, box in enumerate(boxes)
    ]
    return hand_replay(*found, rpn_nms=1.0, box_nms=1.0, box_score=0.2)


def only(diagnosis: Diagnosis) -> FalsePositive:
    assert len(diagnosis.false_positives) == 1
    return diagnosis.false_positives[0]


# --- one detection, 20 x 20 px at (20, 20), beside hand-made objects: shifted by 10 px the IoU is 1/3 ---

BOX: Box = (20, 20, 40, 40)
HALF_OFF: Box = (30, 20, 50, 40)
QUARTER_OFF: Box = (24, 20, 44, 40)
FAR: Box = (70, 70, 90, 90)


@pytest.mark.parametrize(
    ("boxes", "labels", "cause", "tide", "index", "overlap"),
    [
        ([FAR, HALF_OFF], [RING, RING], Cause.POOR_BOX, TideType.LOC, 1, 1 / 3),
        ([FAR, BOX], [RING, CROSS], Cause.OTHER_CLASS, TideType.CLS, 1, 1.0),
        ([HALF_OFF], [CROSS], Cause.OTHER_CLASS, TideType.BOTH, 0, 1 / 3),
        ([FAR], [RING], Cause.BACKGROUND, TideType.BKG, None, 0.0),
        ([], [], Cause.BACKGROUND, TideType.BKG, None, 0.0),
        # Here TIDE asks for the own category first, and we for what lies under the box.
        ([HALF_OFF, BOX], [RING, CROSS], Cause.OTHER_CLASS, TideType.LOC, 1, 1.0),
    ],
)
def test_cause_type_and_object_of_one_detection(
    boxes: list[Box], labels: list[int], cause: Cause, tide: TideType, index: int | None, overlap: float
) -> None:
    found = only(diagnose(rings(BOX), objects(*boxes, labels=labels)))
    assert (found.detection, found.cause, found.tide, found.object) == (0, cause, tide, index)
    assert found.iou == pytest.approx(overlap, abs=1e-3) and found.score == pytest.approx(0.6)
    if index is not None:
        assert f"{('ring', 'cross')[labels[index] - 1]} #{index}" in found.reason
        assert f"{overlap:.2f}" in found.reason


def test_a_second_detection_of_an_object_is_a_duplicate() -> None:
    found = only(diagnose(rings(BOX, QUARTER_OFF), objects(FAR, BOX)))
    assert (found.detection, found.cause, found.tide, found.object) == (1, Cause.DUPLICATE, TideType.DUPE, 1)
    assert found.reason == "ring #1 (IoU 0.67) has a better detection"


def test_a_duplicate_on_an_object_of_another_category_has_the_right_one() -> None:
    """TIDE says Cls."""
    truth = objects(BOX, QUARTER_OFF, labels=[RING, CROSS])
    found = only(diagnose(rings(BOX, QUARTER_OFF), truth))
    assert (found.cause, found.tide, found.object) == (Cause.DUPLICATE, TideType.CLS, 0)


def test_crowd_regions_excuse_and_explain_nothing() -> None:
    inside = objects((0, 0, 60, 60), crowd=[True])
    assert diagnose(rings(BOX), inside).false_positives == ()
    other = objects((0, 0, 60, 60), labels=[CROSS], crowd=[True])
    found = only(diagnose(rings(BOX), other))
    assert (found.cause, found.tide, found.object, found.agreement) == (
        Cause.BACKGROUND, TideType.BKG, None, None,
    )  # fmt: skip


# --- everything against a slow loop ---


def slow_types(replay: Replay, truth: GroundTruth, bound: float) -> list[tuple[Cause, TideType]]:
    """Causes (before labels are doubted) and TIDE's types, as their definitions are read aloud."""
    matches = match_detections(replay.boxes, replay.labels, replay.scores, truth, bound)
    said = []
    for place in range(len(replay.labels)):
        if matches.object_of[place] >= 0:
            continue
        own, other, used = [0.0], [0.0], [0.0]
        for index in range(len(truth)):
            value = iou(replay.boxes[place], truth.boxes[index])
            same = bool(truth.labels[index] == replay.labels[place])
            (own if same else other).append(value)
            if same and matches.detection_of[index] >= 0:
                used.append(value)
        said.append(
            (slow_cause(max(own), max(other), bound), slow_tide(max(own), max(other), max(used), bound))
        )
    return said


def slow_cause(own: float, other: float, bound: float) -> Cause:
    if own >= bound:
        return Cause.DUPLICATE
    if other >= bound:
        return Cause.OTHER_CLASS
    if own >= 0.1:
        return Cause.POOR_BOX
    return Cause.OTHER_CLASS if other >= 0.1 else Cause.BACKGROUND


def slow_tide(own: float, other: float, used: float, bound: float) -> TideType:
    """Bolya et al. 2020, section 2.2, in the order of their tests."""
    if 0.1 <= own <= bound:
        return TideType.LOC
    if other >= bound:
        return TideType.CLS
    if used >= bound:
        return TideType.DUPE
    return TideType.BKG if max(own, other) <= 0.1 else TideType.BOTH


def crowded(seed: int) -> tuple[Replay, GroundTruth]:
    """Many detections, and objects near some of them, half of them of another category."""
    detector = shared_detector("pyramid_per_class")
    trace = capture(detector, random_image(seed))
    replay = Replayer(trace).replay(trace.thresholds.replace(box_nms=1.0, box_score=0.01, box_limit=60))
    chosen = torch.randperm(len(replay.labels), generator=torch.Generator().manual_seed(seed))[:6]
    moved = replay.boxes[chosen] + torch.tensor([0.0, 2, 0, 6, 12, 12])[:, None]
    labels = torch.where(torch.arange(6) % 2 == 0, replay.labels[chosen], replay.labels[chosen] % 5 + 1)
    return replay, GroundTruth(moved, labels)


def test_causes_and_types_equal_a_slow_loop_and_are_total() -> None:
    causes, types = set(), set()
    for seed, bound in ((0, 0.5), (1, 0.5), (2, 0.75), (3, 0.3)):
        replay, truth = crowded(seed)
        diagnosis = diagnose(replay, truth, bound)
        found = diagnosis.false_positives
        assert tuple(one.detection for one in found) == diagnosis.false_detections
        doubted = [
            replace(one, cause=Cause.BACKGROUND if one.tide is TideType.BKG else Cause.OTHER_CLASS)
            if one.cause is Cause.MISSING_LABEL
            else one
            for one in found
        ]
        assert [(one.cause, one.tide) for one in doubted] == slow_types(replay, truth, bound)
        causes |= {one.cause for one in doubted}
        types |= {one.tide for one in found}
        for one in found:
            assert one.score == float(replay.scores[one.detection]) and one.reason
            if one.object is not None:
                overlap = iou(replay.boxes[one.detection], truth.boxes[one.object])
                assert one.iou == pytest.approx(overlap, abs=1e-6)
                same = bool(truth.labels[one.object] == replay.labels[one.detection])
                assert same == (one.cause in (Cause.DUPLICATE, Cause.POOR_BOX))
    assert causes == set(Cause) - {Cause.MISSING_LABEL}
    assert types == set(TideType) - {TideType.MISS}


def test_missed_objects_are_the_lost_ones_that_no_loc_or_cls_stands_for() -> None:
    replay, boxes = rings(BOX), [HALF_OFF, BOX, FAR]
    diagnosis = diagnose(replay, objects(*boxes, labels=[RING, CROSS, RING]))
    # The detection is Loc for the ring #0; the cross #1 under it counts as missed, as TIDE counts.
    assert only(diagnosis).tide is TideType.LOC and missed_objects(diagnosis) == (1, 2)
    diagnosis = diagnose(replay, objects(BOX, FAR, labels=[CROSS, RING]))
    assert only(diagnosis).tide is TideType.CLS and missed_objects(diagnosis) == (1,)
    assert missed_objects(diagnose(replay, objects(BOX))) == ()
    nothing = diagnose(hand_replay(Candidate(BOX), box_score=1.0), objects(BOX, FAR))
    assert missed_objects(nothing) == (0, 1)


# --- labels that are likely missing ---


def test_agreement_equals_a_slow_loop() -> None:
    replay, _ = crowded(1)
    trace, places = replay.trace, list(range(0, len(replay.labels), 5))
    rois = trace.to_image(replay.head.boxes)
    for place, found in zip(places, agreements(replay, places), strict=True):
        box, label = replay.boxes[place], int(replay.labels[place])
        refined = trace.to_image(replay.class_boxes[:, label if replay.class_boxes.shape[1] > 1 else 0])
        wins = [float(score) > 0.5 for score in replay.class_scores[:, label]]
        agreeing = [roi for roi, won in enumerate(wins) if won and iou(refined[roi], box) >= 0.7]
        lying = [roi for roi in range(len(rois)) if iou(rois[roi], box) >= 0.5]
        best = [float(trace.rpn.objectness[replay.head.anchor[roi]].sigmoid()) for roi in agreeing]
        assert (found.rois, found.places) == (len(agreeing), len(lying))
        assert found.share == pytest.approx(sum(wins[roi] for roi in lying) / max(len(lying), 1))
        assert (found.objectness is None) == (not best)
        assert found.objectness is None or found.objectness == pytest.approx(max(best), abs=1e-6)
    assert agreements(replay, []) == ()


@pytest.mark.parametrize(
    "change", [{"score": 0.89}, {"rois": 2}, {"share": 0.49}, {"objectness": 0.89}, {"objectness": None}]
)
def test_every_condition_of_a_missing_label_counts(change: dict[str, float]) -> None:
    agreed = Agreement(score=0.9, rois=3, places=4, share=0.5, objectness=0.9)
    assert is_missing_label(agreed)
    assert not is_missing_label(replace(agreed, **change))


def test_a_place_on_which_all_stages_agree_is_a_missing_label() -> None:
    three = [Candidate((20 + n, 20, 40 + n, 40), 0.95, SURE, refined=BOX) for n in range(3)]
    replay = hand_replay(*three, rpn_nms=1.0)
    found = only(diagnose(replay, objects(FAR)))
    assert (found.cause, found.tide, found.object) == (Cause.MISSING_LABEL, TideType.BKG, None)
    assert found.reason == "no object is annotated here, but 3 RoIs agree on ring (0.96)"
    # An object of another category may be touched, one of its own may not.
    assert only(diagnose(replay, objects(HALF_OFF, labels=[CROSS]))).cause is Cause.MISSING_LABEL
    assert only(diagnose(replay, objects(HALF_OFF))).cause is Cause.POOR_BOX
    assert only(diagnose(hand_replay(*three[:2], rpn_nms=1.0), objects(FAR))).cause is Cause.BACKGROUND
    crowd = objects((0, 0, 60, 60), labels=[CROSS], crowd=[True])
    assert only(diagnose(replay, crowd)).cause is Cause.BACKGROUND


def test_without_known_anchors_no_label_is_doubted() -> None:
    three = [Candidate((20 + n, 20, 40 + n, 40), 0.95, SURE, refined=BOX) for n in range(3)]
    replay = hand_replay(*three, rpn_nms=1.0)
    blind = replace(replay, head=replace(replay.head, anchor=torch.full((3,), -1)))
    assert only(diagnose(blind, objects(FAR))).cause is Cause.BACKGROUND


def test_annotations_taken_away_are_found_to_be_missing() -> None:
    """On scenes that chose no number: seven of ten that lie free, and hardly an alarm while nothing is missing."""
    detector, scenes = load_detector("shapes"), ShapesDataset(6, seed=2002)
    recognised, alarms = [], 0
    for pixels, target in (scenes[index] for index in range(len(scenes))):
        truth = GroundTruth(torch.as_tensor(target["boxes"]), target["labels"])
        diagnosis = diagnose(Replayer(capture(detector, pixels), detector), truth)
        alarms += sum(one.cause is Cause.MISSING_LABEL for one in diagnosis.false_positives)
        for verdict in diagnosis.verdicts:
            one = without_annotation(diagnosis, verdict.object, verdict.detection)
            if one is not None and one.agreement is not None:
                recognised.append(one.cause is Cause.MISSING_LABEL)
    assert len(recognised) >= 15 and sum(recognised) >= 0.7 * len(recognised)
    assert alarms <= 2


def without_annotation(diagnosis: Diagnosis, index: int, detection: int | None) -> FalsePositive | None:
    """What is said of the detection of an object once the annotation of the object is gone."""
    kept = torch.arange(len(diagnosis.truth)) != index
    rest = GroundTruth(diagnosis.truth.boxes[kept], diagnosis.truth.labels[kept])
    replay = diagnosis.replay
    matches = match_detections(replay.boxes, replay.labels, replay.scores, rest)
    return next((f for f in false_positives_of(replay, rest, matches) if f.detection == detection), None)


def test_random_objects_leave_no_detection_without_a_cause() -> None:
    for seed, name in ((0, "pyramid_best_class"), (1, "fasterrcnn_mobilenet_v3_large_fpn")):
        trace = capture(shared_detector(name), random_image(seed))
        diagnosis = diagnose(Replayer(trace), random_truth(seed, count=5))
        matched = int((diagnosis.matches.object_of >= 0).sum())
        assert len(diagnosis.false_positives) + matched == len(trace.detections)
