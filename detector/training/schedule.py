"""The learning rate of every step: a linear warm-up, then half a cosine down to nothing."""

from __future__ import annotations

import math


def learning_rate(step: int, *, peak: float, warmup_steps: int, steps: int) -> float:
    """The rate of optimizer step `step`, from 0.

    Args:
        step: 0 to `steps` - 1.
        peak: reached at the end of the warm-up.
        warmup_steps: linear from `peak / warmup_steps` to `peak`; 0 starts at the peak.
        steps: of the whole run; the rate would be 0 at step `steps`.

    Source:
        Loshchilov and Hutter 2017 (SGDR), section 3, without restarts; warm-up of Goyal et al. 2017, section 2.2.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
