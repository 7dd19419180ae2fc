"""What must be known before the numbers of a trace are trusted; for the app and for the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.tracing.trace import Trace


def cautions(trace: Trace) -> tuple[str, ...]:
    """A sentence for each thing; none where there is nothing to say."""
    found = []
    if not trace.faithful:
        found.append(
            "The replay does not reproduce this model's own output (it overrides one of torchvision's filters): "
            "counts and verdicts are those of the replay."
        )
    if trace.mode == "training":
        found.append(
            "This was recorded in a training step: the RoIs are those that the step sampled, and what the box "
            "filter makes of them is no detection of the model's."
        )
    if trace.non_finite:
        stages = ", ".join(trace.non_finite)
        found.append(f"NaN or infinite values come up in: {stages}. What follows from there means nothing.")
    if trace.overwritten:
        stages = ", ".join(trace.overwritten)
        found.append(f"The model wrote into its own tensors afterwards; shown is what it left: {stages}.")
    return tuple(found)
