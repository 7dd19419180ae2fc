"""Calibration against a slow loop, at the edges of the bins, and with detections in crowd regions."""

from __future__ import annotations

import numpy as np
import pytest
from support.coco_images import LABELS
from support.evaluations import boxed_images

from detector.judging.calibration import calibrated, calibration_of
from detector.judging.coco_matching import Matched, match_images


def _slowly(scores: list[float], true: list[bool], bins: int) -> tuple[float, list[int]]:
    """ECE and counts, one detection after the other."""
    parts: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for score, right in zip(scores, true, strict=True):
        place = next(k for k in range(bins) if score <= np.linspace(0, 1, bins + 1)[k + 1])
        parts[place].append((score, right))
    error = 0.0
    for part in parts:
        if part:
            confidence = sum(score for score, _ in part) / len(part)
            accuracy = sum(right for _, right in part) / len(part)
            error += abs(confidence - accuracy) * len(part) / len(scores)
    return error, [len(part) for part in parts]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("bins", [1, 7, 10])
def test_bins_and_error_are_those_of_a_slow_loop(seed: int, bins: int) -> None:
    chance = np.random.default_rng(seed)
    scores = np.append(chance.random(200), [0.0, 1.0, 0.5, 0.1])
    true = chance.random(len(scores)) < scores
    found = calibrated(scores, true, bins=bins)
    error, counts = _slowly(scores.tolist(), true.tolist(), bins)
    assert pytest.approx(error, abs=1e-12) == found.ECE
    assert [one.count for one in found.bins] == counts
    assert found.MCE is not None and found.ECE is not None and found.MCE >= found.ECE
    assert all(one.low <= one.confidence <= one.high for one in found.bins)


def test_a_score_on_an_edge_belongs_to_the_bin_below_and_empty_bins_are_said_to_be_empty() -> None:
    found = calibrated(np.array([0.0, 0.5, 1.0]), np.array([False, True, True]), bins=2)
    assert [one.count for one in found.bins] == [2, 1]
    assert pytest.approx((0.25 * 2 + 0.0) / 3) == found.ECE and pytest.approx(0.25) == found.MCE
    none = calibrated(np.zeros(0), np.zeros(0, dtype=bool))
    assert (none.ECE, none.MCE, none.count) == (None, None, 0)
    assert {one.accuracy for one in none.bins} == {None}


def test_detections_in_crowd_regions_and_of_other_categories_are_left_out() -> None:
    matched = match_images(boxed_images(1), LABELS)
    assert matched.ignored[0].any()
    found = calibration_of(matched)
    assert found.count == int((~matched.ignored[0]).sum()) < len(matched.score)
    assert sum(one.count for one in found.bins) == found.count
    parts = [calibration_of(matched, label=label).count for label in range(1, LABELS + 1)]
    assert sum(parts) == found.count and all(parts)


def test_what_cannot_be_is_refused() -> None:
    matched: Matched = match_images(boxed_images(1), LABELS)
    with pytest.raises(ValueError, match="bins is 0"):
        calibration_of(matched, bins=0)
    with pytest.raises(ValueError, match=r"iou is 0\.52; expected one of COCO's"):
        calibration_of(matched, iou=0.52)
