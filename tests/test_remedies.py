"""Remedies are the smallest, by trying every value there is, and they are true, by running the model again."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
import torch
from support.lost_objects import every_value, found, nearest_by_trial, scene_by_hand, tight_thresholds
from support.models import random_image, shared_detector, single_map_detector
from support.oracles import run_model
from support.traces import OPEN, Candidate, hand_trace, objects
from torchvision.ops import box_iou

from detector import Detector, GroundTruth, Replayer, capture, diagnose
from detector.explaining.matching import match_detections
from detector.explaining.price import identities_of, price_between
from detector.explaining.remedies import remedy_against, remedy_for
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Diagnosis
from detector.tracing.trace import FilterRules

FIELD_OF = {
    Rung.RPN_RANK: "rpn_pre_nms_top_n", Rung.RPN_SCORE: "rpn_score", Rung.RPN_NMS: "rpn_nms",
    Rung.RPN_LIMIT: "rpn_post_nms_top_n", Rung.ROI_CLASS: "box_score", Rung.BOX_NMS: "box_nms",
    Rung.BOX_LIMIT: "box_limit", Rung.MATCHED_ELSEWHERE: "box_nms",
}  # fmt: skip


def test_no_value_nearer_than_the_remedy_brings_the_object_back() -> None:
    met: Counter[tuple[Rung, bool]] = Counter()
    for seed in range(150):
        replayer, diagnosis = scene_by_hand(seed)
        for verdict in diagnosis.lost:
            if verdict.rung not in FIELD_OF:
                assert remedy_for(replayer, diagnosis, verdict) is None
                continue
            if all(met[verdict.rung, back] >= 2 for back in (True, False)):
                continue
            field, remedy = FIELD_OF[verdict.rung], remedy_for(replayer, diagnosis, verdict)
            back = remedy is not None and remedy.brings_back
            met[verdict.rung, back] += 1
            if met[verdict.rung, back] > 2:
                continue  # trying every value takes its time
            expected = nearest_by_trial(replayer, diagnosis, verdict.object, field)
            assert back == (expected is not None), (seed, verdict.rung, remedy, expected)
            if remedy is not None:
                assert (remedy.field, remedy.object) == (field, verdict.object)
                assert remedy.rung is not None and remedy.rung > verdict.rung
            if remedy is not None and expected is not None:
                before = remedy.before
                assert abs(remedy.after - before) == pytest.approx(abs(expected - before), abs=1e-12), seed
    assert all(met[rung, True] for rung in FIELD_OF if rung is not Rung.MATCHED_ELSEWHERE), met


def passes(replayer: Replayer, diagnosis: Diagnosis, index: int, field: str, value: float) -> Rung:
    replay = replayer.replay(diagnosis.replay.thresholds.replace(**{field: value}))
    verdict = diagnose(replay, diagnosis.truth, diagnosis.iou).verdict_of(index)
    assert verdict is not None
    return verdict.rung


def test_where_nothing_brings_it_back_the_remedy_is_the_nearest_value_that_gets_it_past_its_rung() -> None:
    seen = 0
    for seed in range(150):
        if seen >= 4:
            break
        replayer, diagnosis = scene_by_hand(seed)
        for verdict in diagnosis.lost:
            remedy = remedy_for(replayer, diagnosis, verdict)
            if remedy is None or remedy.brings_back:
                continue
            seen += 1
            step = abs(remedy.after - remedy.before) - 1e-12
            values = every_value(replayer, diagnosis, remedy.field)
            nearer = [value for value in values if abs(value - remedy.before) < step]
            rungs = [passes(replayer, diagnosis, verdict.object, remedy.field, value) for value in nearer]
            assert all(rung <= verdict.rung for rung in rungs)
    assert seen >= 4


def real_scene(seed: int, name: str) -> tuple[Detector, torch.Tensor, Replayer, Diagnosis]:
    """Objects where a random model would see some with its thresholds open, and thresholds that lose them."""
    detector = single_map_detector() if name == "single map" else shared_detector(name)
    chance, image = random.Random(seed), random_image(seed % 3, (96, 128))
    trace = capture(detector, image)
    replayer = Replayer(trace, detector)
    tight = tight_thresholds(chance, top_n=40).replace(box_score=0.25)
    wide = replayer.replay(tight.replace(
        rpn_pre_nms_top_n=100, rpn_post_nms_top_n=100, rpn_nms=0.8, rpn_score=0.0,
        box_score=0.0, box_nms=1.0, box_limit=10**6,
    ))  # fmt: skip
    large = ((wide.boxes[:, 2:] - wide.boxes[:, :2]) > 4).all(dim=1).nonzero().flatten().tolist()
    chosen = torch.tensor(chance.sample(large, 4))
    truth = GroundTruth(wide.boxes[chosen], wide.labels[chosen])
    return detector, image, replayer, diagnose(replayer.replay(tight), truth)


@pytest.mark.parametrize("name", ["single map", "pyramid_per_class", "pyramid_best_class"])
def test_the_model_itself_run_again_finds_what_a_remedy_brings_back(name: str) -> None:
    verified = 0
    for seed in range(8):
        if verified >= 4:
            break
        detector, image, replayer, diagnosis = real_scene(seed, name)
        for verdict in diagnosis.lost:
            remedy = remedy_for(replayer, diagnosis, verdict, most_rois=40)
            if remedy is None:
                continue
            output, _ = run_model(detector, image, remedy.thresholds)
            boxes, labels, scores = output["boxes"], output["labels"], output["scores"]
            matches = match_detections(boxes, labels, scores, diagnosis.truth, diagnosis.iou)
            assert (int(matches.detection_of[verdict.object]) >= 0) == remedy.brings_back
            price, before = remedy.price, diagnosis.matches
            assert price.came - price.went == len(boxes) - len(diagnosis.replay.boxes)
            assert price.more_true == int((matches.object_of >= 0).sum() - (before.object_of >= 0).sum())
            assert price.more_false == int((matches.object_of < 0).sum() - (before.object_of < 0).sum())
            after = (matches.detection_of >= 0).nonzero().flatten().tolist()
            assert set(price.found) <= set(after) and not set(price.lost) & set(after)
            verified += 1
    assert verified >= 3


def test_a_remedy_changes_one_threshold_and_its_price_is_that_of_a_replay() -> None:
    for seed in range(12):
        replayer, diagnosis = scene_by_hand(seed)
        for verdict in diagnosis.lost:
            remedy = remedy_for(replayer, diagnosis, verdict)
            if remedy is None:
                continue
            present = diagnosis.replay.thresholds
            assert remedy.thresholds == present.replace(**remedy.change)
            assert (remedy.before, remedy.after) == (
                getattr(present, remedy.field), getattr(remedy.thresholds, remedy.field),
            )  # fmt: skip
            after = diagnose(replayer.replay(remedy.thresholds), diagnosis.truth, diagnosis.iou)
            assert remedy.price == price_between(diagnosis, after)
            assert (remedy.object in remedy.price.found) == remedy.brings_back
            assert not remedy.removes


def test_the_score_that_must_be_exceeded_and_the_one_that_suffices() -> None:
    """box_score is exclusive: the next float32 below the score. rpn_score is inclusive: the score itself."""
    trace = hand_trace(
        Candidate((0, 0, 40, 40), objectness=0.3, scores=(0.7, 0.3, 0, 0)),
        thresholds=OPEN.replace(box_score=0.5),
    )
    truth, replayer = objects((0, 0, 40, 40)), Replayer(trace)
    diagnosis = diagnose(replayer, truth)
    remedy = remedy_for(replayer, diagnosis, diagnosis.verdicts[0])
    score = float(diagnosis.replay.class_scores[0, 1])
    assert remedy is not None and remedy.brings_back
    assert remedy.after == float(np.nextafter(np.float32(score), np.float32(0)))
    assert not found(replayer, diagnosis, 0, "box_score", score)
    floor = OPEN.replace(rpn_score=0.9)
    diagnosis = diagnose(replayer.replay(floor), truth)
    remedy = remedy_for(replayer, diagnosis, diagnosis.verdicts[0])
    assert remedy is not None and remedy.brings_back
    assert remedy.after == float(diagnosis.replay.proposals.scores[0])


def test_a_box_that_another_class_won_has_no_remedy_under_the_best_class_rule() -> None:
    candidate = Candidate((0, 0, 40, 40), scores=(0.2, 0.3, 0.5, 0))
    truth = objects((0, 0, 40, 40))
    for rule, expected in (("best_class", None), ("per_class", "box_score")):
        trace = hand_trace(
            candidate, thresholds=OPEN.replace(box_score=0.4), rules=FilterRules(detection_rule=rule)
        )
        diagnosis = diagnose(Replayer(trace), truth)
        remedy = remedy_for(Replayer(trace), diagnosis, diagnosis.verdicts[0])
        assert (None if remedy is None else remedy.field) == expected


def test_two_objects_under_one_box_get_a_second_one_by_box_nms() -> None:
    """MATCHED_ELSEWHERE: the one detection belongs to the other object; a second box lives at a higher IoU."""
    trace = hand_trace(
        Candidate((0, 0, 40, 40), objectness=0.9, scores=(0.1, 0.9, 0, 0)),
        Candidate((0, 8, 40, 48), objectness=0.8, scores=(0.2, 0.8, 0, 0)),
    )
    truth, replayer = objects((0, 0, 40, 40), (0, 10, 40, 50)), Replayer(trace)
    diagnosis = diagnose(replayer, truth)
    verdict = diagnosis.verdicts[1]
    remedy = remedy_for(replayer, diagnosis, verdict)
    assert verdict.rung in (Rung.MATCHED_ELSEWHERE, Rung.BOX_NMS)
    assert remedy is not None and remedy.brings_back and remedy.field == "box_nms"
    assert remedy.after == pytest.approx(2 / 3) and not remedy.price.lost


def test_without_the_model_only_what_the_capture_saw_is_proposed() -> None:
    detector = shared_detector("pyramid_per_class")
    trace = capture(detector, random_image(1))
    replayer, thresholds = Replayer(trace), trace.thresholds.replace(rpn_post_nms_top_n=20, box_limit=1000)
    full = replayer.replay(trace.thresholds.replace(box_limit=1000))
    last = len(full.boxes) - 1
    diagnosis = diagnose(replayer.replay(thresholds), GroundTruth(full.boxes[last:], full.labels[last:]))
    for verdict in diagnosis.lost:
        remedy = remedy_for(replayer, diagnosis, verdict)
        assert remedy is None or remedy.rung is not None


def test_a_false_positive_goes_at_its_score_or_under_the_box_that_suppresses_it() -> None:
    trace = hand_trace(
        Candidate((0, 0, 40, 40), objectness=0.9, scores=(0.1, 0.9, 0, 0)),
        Candidate((0, 14, 40, 54), objectness=0.8, scores=(0.3, 0.7, 0, 0)),
        Candidate((50, 50, 90, 90), objectness=0.7, scores=(0.4, 0.6, 0, 0)),
    )
    truth, replayer = objects((0, 0, 40, 40), (50, 50, 90, 90)), Replayer(trace)
    diagnosis = diagnose(replayer, truth)
    (false,) = diagnosis.false_positives
    # The score would take the third detection along, which is true.
    remedy = remedy_against(replayer, diagnosis, false)
    assert remedy is not None and remedy.removes and not remedy.brings_back
    assert (remedy.field, remedy.detection, remedy.object) == ("box_nms", 1, None)
    first, second = diagnosis.replay.boxes[:1], diagnosis.replay.boxes[1:2]
    assert remedy.after == math.nextafter(box_iou(first, second).item(), 0.0)
    assert (remedy.price.went, remedy.price.lost, remedy.price.more_false) == (1, (), -1)
    lonely = diagnose(replayer, objects((0, 0, 40, 40), (0, 14, 40, 54)))
    (false,) = lonely.false_positives
    remedy = remedy_against(replayer, lonely, false)
    assert remedy is not None
    assert (remedy.field, remedy.after) == ("box_score", float(lonely.replay.scores[2]))
    assert remedy.price.went_false == (2,)


def test_every_false_positive_can_be_removed_and_no_lower_change_of_the_field_does() -> None:
    seen: Counter[str] = Counter()
    for seed in range(12):
        replayer, diagnosis = scene_by_hand(seed)
        for false in diagnosis.false_positives:
            remedy = remedy_against(replayer, diagnosis, false)
            assert remedy is not None
            seen[remedy.field] += 1
            gone = identities_of(diagnosis.replay)[false.detection]
            values = every_value(replayer, diagnosis, remedy.field)
            step = remedy.after - remedy.before
            nearer = [v for v in values if 0 <= (v - remedy.before) / step < 1 - 1e-9] if step else []
            for value in nearer:
                changed = diagnosis.replay.thresholds.replace(**{remedy.field: value})
                assert gone in identities_of(replayer.replay(changed))
            assert gone not in identities_of(replayer.replay(remedy.thresholds))
    assert set(seen) == {"box_score", "box_nms"}


def test_a_replayer_of_another_trace_is_refused() -> None:
    truth = objects((0, 0, 40, 40))
    first, second = (
        Replayer(hand_trace(Candidate((0, 0, 40, 40), scores=(0.99, 0.01, 0, 0)))) for _ in range(2)
    )
    diagnosis = diagnose(first, truth)
    with pytest.raises(ValueError, match="another trace"):
        remedy_for(second, diagnosis, diagnosis.verdicts[0])
