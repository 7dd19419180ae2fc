"""The replay equals the model itself run again, and its ledgers add up."""

from __future__ import annotations

import random
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import ARCHITECTURES, random_image, shared_detector, single_map_detector
from support.oracles import iou, run_model

from detector import DetectionFate, ProposalFate, Replay, Replayer, Thresholds, Trace, capture
from detector.tracing.capture import capture_batch


def random_thresholds(seed: int) -> Thresholds:
    chance = random.Random(seed)
    return Thresholds(
        rpn_pre_nms_top_n=chance.choice([1, 7, 60, 400, 1000, 10**9]),
        rpn_post_nms_top_n=chance.choice([1, 5, 50, 300, 1000, 10**9]),
        rpn_nms=chance.choice([0.0, 0.3, 0.7, 1.0, chance.random()]),
        rpn_score=chance.choice([0.0, 0.0, 0.4, 1.0, chance.random()]),
        box_score=chance.choice([0.0, 0.05, 0.3, 1.0, chance.random()]),
        box_nms=chance.choice([0.0, 0.5, 1.0, chance.random()]),
        box_limit=chance.choice([1, 3, 100, 10**6]),
    )


def assert_equals_model(replay: Replay, image: torch.Tensor, *, exact: bool) -> None:
    """Proposals bit-equal; detections bit-equal, or to 1e-3 px and 1e-5 where the head ran again."""
    detector = shared_detector(replay.trace.detector)
    output, proposals = run_model(detector, image, replay.thresholds)
    assert torch.equal(replay.proposals.boxes[replay.proposals.kept], proposals)
    assert torch.equal(replay.labels, output["labels"])
    if exact:
        assert torch.equal(replay.boxes, output["boxes"])
        assert torch.equal(replay.scores, output["scores"])
    else:
        torch.testing.assert_close(replay.boxes, output["boxes"], atol=1e-3, rtol=0)
        torch.testing.assert_close(replay.scores, output["scores"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_replay_under_the_capture_thresholds_is_the_models_own_output(name: str) -> None:
    for seed in range(2):
        image = random_image(seed, (96, 128) if seed else (112, 80))
        trace = capture(shared_detector(name), image)
        assert trace.faithful
        assert len(trace.detections) > 0
        replay = Replayer(trace).replay()
        assert_equals_model(replay, image, exact=True)
        assert torch.equal(replay.boxes, trace.detections.boxes)
        assert torch.equal(replay.head.boxes[replay.rois], trace.head.boxes[trace.detections.roi])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_box_thresholds_replay_without_the_model(name: str) -> None:
    image = random_image(3)
    trace = capture(shared_detector(name), image)
    replayer = Replayer(trace)
    for seed in range(6):
        drawn = random_thresholds(seed)
        changed = trace.thresholds.replace(
            box_score=drawn.box_score, box_nms=drawn.box_nms, box_limit=drawn.box_limit
        )
        assert_equals_model(replayer.replay(changed), image, exact=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rpn_thresholds_replay_as_a_real_run(name: str) -> None:
    image = random_image(5)
    trace = capture(shared_detector(name), image)
    replayer = Replayer(trace, shared_detector(name))
    for seed in range(100, 105):
        assert_equals_model(replayer.replay(random_thresholds(seed)), image, exact=False)
    assert_equals_model(replayer.replay(), image, exact=True)  # what was computed on the way leaves no trace


def test_a_model_without_pyramid() -> None:
    detector = single_map_detector()
    trace = capture(detector, random_image(1, (96, 96)))
    assert trace.faithful
    assert list(trace.backbone.pyramid) == ["0"]
    assert trace.head.level.unique().tolist() == [0]
    output, _ = run_model(detector, random_image(1, (96, 96)), trace.thresholds)
    assert torch.equal(Replayer(trace).replay().boxes, output["boxes"])


@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_fpn", "pyramid_best_class"])
def test_a_batch_gives_one_faithful_trace_per_image(name: str) -> None:
    images = [random_image(seed, size) for seed, size in enumerate([(96, 128), (80, 80), (128, 64)])]
    detector = shared_detector(name)
    traces = capture_batch(detector, images)
    with torch.no_grad():
        outputs = detector.model(images)
    for index, (trace, output) in enumerate(zip(traces, outputs, strict=True)):
        assert trace.faithful
        assert trace.image_index == index
        assert trace.input.image_size == tuple(images[index].shape[-2:])
        replay = Replayer(trace).replay()
        assert torch.equal(replay.boxes, output["boxes"])
        assert torch.equal(replay.scores, output["scores"])


def test_unseen_rois_without_a_detector_are_refused_with_the_remedy() -> None:
    trace = capture(shared_detector("pyramid_best_class"), random_image())
    seen = trace.thresholds.replace(rpn_post_nms_top_n=20)
    assert len(Replayer(trace).replay(seen).head.boxes) == 20
    with pytest.raises(ValueError, match="give Replayer the detector"):
        Replayer(trace).replay(trace.thresholds.replace(rpn_nms=0.95))


def test_pooled_features_of_new_rois_equal_those_of_a_capture_that_sees_them() -> None:
    detector, image = shared_detector("pyramid_per_class"), random_image(2)
    trace = capture(detector, image)
    replayer = Replayer(trace, detector)
    replay = replayer.replay(trace.thresholds.replace(rpn_nms=0.9, rpn_post_nms_top_n=300))
    assert replay.head.features is None
    rois = torch.tensor([0, 7, 299])
    pooled = detector.model.roi_heads.box_roi_pool
    maps = {name: value[None] for name, value in trace.backbone.pyramid.items()}
    with torch.no_grad():
        expected = pooled(maps, [replay.head.boxes], [trace.input.network_size])[rois]
    assert torch.equal(replayer.roi_features(replay, rois), expected)


@cache
def trace_of(name: str, image: int) -> Trace:
    """One capture for all examples that look at it."""
    return capture(shared_detector(name), random_image(image))


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), rule=st.sampled_from(["pyramid_best_class", "pyramid_per_class"]))
def test_ledgers_add_up(seed: int, rule: str) -> None:
    replay = Replayer(trace_of(rule, seed % 5), shared_detector(rule)).replay(random_thresholds(seed))
    for ledger, limit in (
        (replay.proposals, replay.thresholds.rpn_post_nms_top_n),
        (replay.detections, replay.thresholds.box_limit),
    ):
        assert sum(ledger.counts().values()) == len(ledger)
        assert torch.equal(ledger.kept.sort().values, ledger.with_fate(ledger.fates.KEPT))
        assert len(ledger.kept) == len(ledger.kept.unique()) <= limit
        scores = ledger.scores[ledger.kept]
        assert bool((scores[:-1] >= scores[1:]).all())


def test_every_suppressed_candidate_has_a_suppressor_that_outranks_and_overlaps_it() -> None:
    detector = shared_detector("pyramid_per_class")
    for seed in range(3):
        trace = capture(detector, random_image(seed))
        for nms in (0.2, 0.55):
            changed = trace.thresholds.replace(
                rpn_nms=nms, box_nms=nms, box_score=0.02, rpn_post_nms_top_n=200
            )
            replay = Replayer(trace, detector).replay(changed)
            for ledger, suppressed in (
                (replay.proposals, ProposalFate.SUPPRESSED),
                (replay.detections, DetectionFate.SUPPRESSED),
            ):
                lost = ledger.with_fate(suppressed)
                assert len(lost) > 0
                suppressors = ledger.suppressor_of(lost)
                assert bool(torch.isin(suppressors, ledger.winners).all())
                assert bool((ledger.scores[suppressors] >= ledger.scores[lost]).all())
                assert torch.equal(ledger.labels[suppressors], ledger.labels[lost])
                for candidate, suppressor in list(zip(lost.tolist(), suppressors.tolist(), strict=True))[
                    :200
                ]:
                    assert iou(ledger.boxes[candidate], ledger.boxes[suppressor]) > nms - 1e-4
                others = torch.cat(
                    [ledger.with_fate(fate) for fate in ledger.fates if fate.name != "SUPPRESSED"]
                )
                assert bool((ledger.suppressor_of(others) == -1).all())


def test_the_suppressor_is_the_first_that_a_slow_greedy_loop_finds() -> None:
    detector = shared_detector("pyramid_per_class")
    trace = capture(detector, random_image(1))
    replay = Replayer(trace, detector).replay(trace.thresholds.replace(rpn_pre_nms_top_n=60, rpn_nms=0.4))
    ledger = replay.proposals
    order = ledger.entrants[
        ledger.scores[ledger.entrants].sort(descending=True, stable=True).indices
    ].tolist()
    expected: dict[int, int] = {}
    kept: list[int] = []
    for candidate in order:
        over = [k for k in kept if ledger.labels[k] == ledger.labels[candidate]
                and iou(ledger.boxes[k], ledger.boxes[candidate]) > 0.4]  # fmt: skip
        if over:
            expected[candidate] = over[0]
        else:
            kept.append(candidate)
    assert kept == ledger.winners.tolist()
    lost = torch.tensor(list(expected))
    assert ledger.suppressor_of(lost).tolist() == list(expected.values())
    winner = max(set(expected.values()), key=list(expected.values()).count)
    assert sorted(c for c, s in expected.items() if s == winner) == ledger.suppressed_by(winner).tolist()
