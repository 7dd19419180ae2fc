"""Thresholds validate themselves and travel to and from a model."""

from __future__ import annotations

import math

import pytest
from support.models import build_detector

from detector import Thresholds


@pytest.mark.parametrize("name", ["rpn_nms", "rpn_score", "box_score", "box_nms"])
@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, math.inf, "0.5", None, True])
def test_shares_outside_their_range_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        Thresholds().replace(**{name: value})


@pytest.mark.parametrize("name", ["rpn_pre_nms_top_n", "rpn_post_nms_top_n", "box_limit"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, math.nan])
def test_counts_that_are_not_whole_and_positive_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        Thresholds().replace(**{name: value})


def test_edges_are_allowed() -> None:
    edges = Thresholds(1, 10**9, 0.0, 1.0, 0.0, 1.0, 1)
    assert (edges.rpn_nms, edges.box_nms, edges.rpn_post_nms_top_n) == (0.0, 1.0, 10**9)


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(ValueError) as refused:
        Thresholds().replace(nms=0.5)
    assert str(refused.value) == (
        "no threshold is called 'nms'; there are rpn_pre_nms_top_n, rpn_post_nms_top_n, rpn_nms, rpn_score, "
        "box_score, box_nms, box_limit"
    )


@pytest.mark.parametrize("training", [False, True])
def test_what_is_written_to_a_model_is_read_back_and_the_other_mode_stays(training: bool) -> None:
    model = build_detector("pyramid_per_class").model
    other = Thresholds.from_model(model, training=not training)
    changed = Thresholds(11, 12, 0.31, 0.02, 0.21, 0.41, 13)
    changed.apply_to(model, training=training)
    assert Thresholds.from_model(model, training=training) == changed
    assert Thresholds.from_model(model) == Thresholds.from_model(model, training=False)
    kept = Thresholds.from_model(model, training=not training)
    assert (kept.rpn_pre_nms_top_n, kept.rpn_post_nms_top_n) == (
        other.rpn_pre_nms_top_n,
        other.rpn_post_nms_top_n,
    )
