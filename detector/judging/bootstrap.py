"""Is the difference between two APs more than chance? A paired bootstrap over images.

As many images as there are are drawn with replacement, the same ones for both runs, and both APs are worked out
anew; the percentiles of the differences bound the difference (Efron 1979). Paired, because hard images are hard for
both: what the draws share cancels out. It says what another sample of such images would do, and not what another
training run would.

Each image is matched once; a draw only weighs the images (see `average_precision`). Measured on one CPU core of a
busy machine: 1,000 draws of 5,000 images with 36,000 objects and 129,000 detections in 80 categories take 9 s for
each of the two runs, beside 4 s for its matching; a few hundred images are done before one looks.

Shapes: `B` draws, `I` images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.judging.average_precision import average_precision
from detector.judging.comparison_records import Interval

if TYPE_CHECKING:
    from detector.judging.coco_matching import Matched


def draws(images: int, resamples: int, seed: int) -> np.ndarray:
    """How often each draw holds each image, int64 [B, I]; every row adds up to I.

    Args:
        images: I.
        resamples: B.
        seed: the same one gives the same draws.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(images, np.full(images, 1 / images), size=resamples)


def paired_interval(
    a: Matched, b: Matched, *, resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """The percentile interval of AP(b) - AP(a).

    Args:
        a, b: both runs, of the same images in the same order.
        resamples: draws, 1 or more.
        seed: of the draws.
        confidence: the share of the draws between the bounds, between 0 and 1.

    Raises:
        ValueError: a number out of range.
    """
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; expected 1 or more")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence:g}; expected a number between 0 and 1")
    found = differences(a, b, resamples, seed)
    found = found[np.isfinite(found)]
    if not len(found):
        return Interval(None, None, confidence, resamples, seed, None)
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), confidence, resamples, seed, float((found > 0).mean()))


def differences(a: Matched, b: Matched, resamples: int, seed: int) -> np.ndarray:
    """AP(b) - AP(a) of each draw, float64 [B]; NaN for a draw without objects."""
    images = len(a.objects)
    if not images:
        return np.full(resamples, np.nan)
    weights = draws(images, resamples, seed)
    return average_precision(b, weights) - average_precision(a, weights)
