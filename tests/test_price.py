"""A price is the difference of two replays, told by hand and by a slow comparison of boxes."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import random_image, random_truth, shared_detector
from support.traces import OPEN, Candidate, hand_trace, objects
from test_replay import random_thresholds

from detector import Detector, GroundTruth, Replayer, Thresholds, capture, diagnose, load_detector
from detector.data import ShapesDataset
from detector.data.items import Sample
from detector.explaining.price import Price, identities_of, price_between
from detector.explaining.verdicts import Diagnosis
from detector.judging.price_on import price_on, prices_on

LOOSE = OPEN.replace(rpn_nms=1.0, box_nms=0.8)


def test_what_comes_and_goes_in_a_trace_made_by_hand() -> None:
    trace = hand_trace(
        Candidate((0, 0, 40, 40), objectness=0.9, scores=(0.1, 0.9, 0, 0)),
        Candidate((0, 20, 40, 64), objectness=0.8, scores=(0.2, 0.8, 0, 0)),
        Candidate((0, 14, 40, 58), objectness=0.7, scores=(0.4, 0.6, 0, 0)),
        Candidate((60, 60, 90, 90), objectness=0.6, scores=(0.7, 0.3, 0, 0)),
        thresholds=LOOSE,
    )
    truth = objects((0, 18, 40, 62), (60, 60, 90, 90))
    replayer = Replayer(trace)

    def under(**change: float) -> Diagnosis:
        return diagnose(replayer.replay(LOOSE.replace(**change)), truth)

    before = under()
    assert before.replay.rois.tolist() == [0, 1, 2, 3]
    assert before.matches.object_of.tolist() == [-1, 0, -1, 1]
    # IoU of boxes 0 and 1 is 0.31, of 0 and 2 0.45, of 1 and 2 0.76.
    lower = under(box_nms=0.3)
    assert lower.replay.rois.tolist() == [0, 3]
    price = price_between(before, lower)
    assert price == Price(went_true=(1,), went_false=(2,), lost=(0,), more_true=-1, more_false=-1)
    assert not price.is_free
    back = price_between(lower, before)
    assert back == Price(came_true=(1,), came_false=(2,), found=(0,), more_true=1, more_false=1)
    assert (back.came, back.went, price.came, price.went) == (2, 0, 0, 2)
    higher = price_between(under(box_score=0.85), under(box_score=0.25))
    assert (higher.came_true, higher.came_false, higher.found) == ((1, 3), (2,), (0, 1))


def test_a_detection_that_stays_turns_true_when_the_better_one_is_suppressed() -> None:
    """The third proposal scores highest: it removes the first detection, and the second one takes its object."""
    trace = hand_trace(
        Candidate((0, 10, 40, 50), objectness=0.9, scores=(0.2, 0.8, 0, 0)),
        Candidate((0, 20, 40, 60), objectness=0.8, scores=(0.4, 0.6, 0, 0)),
        Candidate((0, 2, 40, 42), objectness=0.7, scores=(0.1, 0.9, 0, 0)),
        thresholds=LOOSE.replace(box_nms=0.62, rpn_post_nms_top_n=2),
    )
    truth = objects((0, 17, 40, 57))
    replayer = Replayer(trace)
    two = diagnose(replayer, truth)
    three = diagnose(replayer.replay(trace.thresholds.replace(rpn_post_nms_top_n=3)), truth)
    assert two.replay.rois.tolist() == [0, 1] and two.matches.object_of.tolist() == [0, -1]
    assert three.replay.rois.tolist() == [2, 1] and three.matches.object_of.tolist() == [-1, 0]
    price = price_between(two, three)
    assert price == Price(came_false=(0,), went_true=(0,), turned_true=(1,))
    assert price_between(three, two) == Price(came_true=(0,), went_false=(0,), turned_false=(1,))


def test_a_match_with_a_crowd_region_is_neither_true_nor_false() -> None:
    trace = hand_trace(
        Candidate((0, 0, 40, 40), scores=(0.1, 0.9, 0, 0)),
        Candidate((50, 50, 90, 90), scores=(0.4, 0.6, 0, 0)),
    )
    truth = objects((0, 0, 40, 40), (45, 45, 95, 95), crowd=[False, True])
    replayer = Replayer(trace)
    few = diagnose(replayer.replay(trace.thresholds.replace(box_score=0.7)), truth)
    more = diagnose(replayer.replay(), truth)
    assert price_between(few, more) == Price(came_other=1)
    assert price_between(few, more).came == 1 and price_between(few, more).is_free


def kinds(diagnosis: Diagnosis) -> Counter[tuple[str, int]]:
    """Each detection as its decoded box and label, counted as true, false or in a crowd."""
    replay = diagnosis.replay
    counted: Counter[tuple[str, int]] = Counter()
    for place, index in enumerate(diagnosis.matches.object_of.tolist()):
        anchor = int(replay.head.anchor[replay.rois[place]])
        kind = -1 if index < 0 else 2 if bool(diagnosis.truth.crowd[index]) else 1
        counted[f"{anchor}/{int(replay.labels[place])}", kind] += 1
    return counted


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), bound=st.sampled_from([0.3, 0.5]))
def test_a_price_is_the_set_difference_of_two_replays(seed: int, bound: float) -> None:
    detector = shared_detector("pyramid_per_class")
    trace = capture(detector, random_image(seed % 4))
    replayer = Replayer(trace, detector)
    plain = random_truth(seed, count=6)
    truth = GroundTruth(plain.boxes, plain.labels, torch.tensor([False] * 5 + [True]))
    before, after = (
        diagnose(replayer.replay(random_thresholds(seed + step)), truth, bound) for step in range(2)
    )
    price = price_between(before, after)
    old, new = kinds(before), kinds(after)
    names = ({name for name, _ in old}, {name for name, _ in new})
    for kind, came, went in (
        (1, price.came_true, price.went_true), (-1, price.came_false, price.went_false),
    ):  # fmt: skip
        assert len(came) == sum(its == kind for name, its in new if name not in names[0])
        assert len(went) == sum(its == kind for name, its in old if name not in names[1])
        assert all(after.matches.object_of[place].item() < 0 for place in came) or kind == 1
    assert price.more_true == sum(its == 1 for _, its in new) - sum(its == 1 for _, its in old)
    assert price.more_false == len(after.false_detections) - len(before.false_detections)
    assert price.came - price.went == len(after.replay.boxes) - len(before.replay.boxes)
    assert price.more_true == len(price.found) - len(price.lost)
    found = {verdict.object for verdict in after.verdicts if verdict.detection is not None}
    assert set(price.found) <= found and not set(price.lost) & found
    identities = identities_of(after.replay)
    assert len(set(identities)) == len(identities)


def test_diagnoses_of_different_images_or_objects_have_no_price() -> None:
    truth = objects((0, 0, 40, 40))
    first, second = (Replayer(hand_trace(Candidate((0, 0, 40, 40)))) for _ in range(2))
    with pytest.raises(ValueError, match="different traces"):
        price_between(diagnose(first, truth), diagnose(second, truth))
    with pytest.raises(ValueError, match="different objects or IoUs"):
        price_between(diagnose(first, truth), diagnose(first, truth, 0.6))


@pytest.fixture(scope="module")
def shapes() -> Detector:
    return load_detector("shapes")


def test_the_price_on_a_data_set_is_the_sum_of_its_images(shapes: Detector) -> None:
    dataset, before = ShapesDataset(4, seed=3), Thresholds.from_model(shapes.model)
    after, told = before.replace(box_score=0.2, box_nms=0.7), []
    price = price_on(shapes, dataset, before, after, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert Thresholds.from_model(shapes.model) == before
    parts, objects_in_all = [], 0
    for index in range(4):
        pixels, target = dataset[index]
        truth = GroundTruth(target["boxes"], target["labels"])
        replayer = Replayer(capture(shapes, pixels, truth), shapes)
        one, other = (diagnose(replayer.replay(which), truth) for which in (before, after))
        parts.append(price_between(one, other))
        objects_in_all += len(truth)
    assert (price.images, price.objects, price.skipped) == (4, objects_in_all, ())
    for name in ("came_true", "came_false", "went_true", "went_false", "turned_true", "turned_false"):
        assert getattr(price, name) == sum(len(getattr(part, name)) for part in parts)
    assert price.came > 0 and price.more_true == sum(part.more_true for part in parts)
    assert price.more_false == sum(part.more_false for part in parts)
    assert price.found == tuple((index, one) for index, part in enumerate(parts) for one in part.found)
    assert len(price.found) - len(price.lost) == price.more_true


def test_an_interrupted_price_leaves_the_detector_as_it_was(shapes: Detector) -> None:
    before = Thresholds.from_model(shapes.model)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        price_on(shapes, ShapesDataset(2), before, before.replace(box_score=0.1), progress=interrupt)
    assert Thresholds.from_model(shapes.model) == before
    assert not shapes.model.rpn._forward_hooks and not shapes.model.rpn._forward_pre_hooks
    first = next(prices_on(shapes, ShapesDataset(2), before, before.replace(box_score=0.1)))
    assert first.images == 1


class _Broken(ShapesDataset):
    """The first image cannot be read."""

    def __getitem__(self, index: int) -> Sample:
        if index == 0:
            raise OSError("cannot be read")
        return super().__getitem__(index)


def test_an_image_that_cannot_be_read_is_skipped_and_named(shapes: Detector) -> None:
    before = Thresholds.from_model(shapes.model)
    price = price_on(shapes, _Broken(2), before, before)
    assert (price.images, price.skipped, price.came, price.went) == (1, ("image 0",), 0, 0)
    with pytest.raises(ValueError, match="iou is 0"):
        price_on(shapes, ShapesDataset(1), before, before, iou=0)
