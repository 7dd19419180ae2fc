"""What a capture hands on to a replayer is what that replayer would compute, and goes with the trace."""

from __future__ import annotations

import gc
from dataclasses import replace

import torch
from support.models import random_image, shared_detector

from detector import Replayer, Trace, capture
from detector.tracing import handover
from detector.tracing.filters import Ledger


def captured() -> Trace:
    return capture(shared_detector("pyramid_per_class"), random_image(3))


def assert_same(one: Ledger, other: Ledger) -> None:
    for column in ("fate", "kept", "boxes", "scores", "labels", "winners", "entrants"):
        assert torch.equal(getattr(one, column), getattr(other, column)), column


def test_a_replayer_that_is_handed_the_work_equals_one_that_does_it() -> None:
    detector, trace = shared_detector("pyramid_per_class"), captured()
    assert handover.handed_on(trace) is not None
    handed = Replayer(trace, detector)
    captured()
    assert handover.handed_on(trace) is None, "only the last capture is remembered"
    alone = Replayer(trace, detector)
    for change in ({}, {"box_score": 0.01}, {"rpn_nms": 0.4}, {}):
        one, other = (replayer.replay(trace.thresholds.replace(**change)) for replayer in (handed, alone))
        assert_same(one.proposals, other.proposals)
        assert_same(one.detections, other.detections)


def test_what_was_changed_since_is_not_believed() -> None:
    trace = captured()
    for other in (
        replace(trace, thresholds=trace.thresholds.replace(box_score=0.123)),
        replace(trace, rules=replace(trace.rules, rpn_min_size=5.0)),
        replace(trace, head=replace(trace.head)),
        replace(trace, faithful=False),
    ):
        assert handover.handed_on(other) is None
    assert handover.handed_on(trace) is not None
    trace.rpn.objectness.add_(1.0)
    assert handover.handed_on(trace) is None


def test_nothing_is_kept_once_the_trace_is_gone() -> None:
    trace = captured()
    assert len(handover._LAST) == 1
    del trace
    gc.collect()
    assert len(handover._LAST) == 0
