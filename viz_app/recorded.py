"""Traces that were opened from a file: they replay without their model, as far as it was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.tracing.replay import Replay, Replayer
    from detector.tracing.thresholds import Thresholds

UNSEEN = (
    "These RPN thresholds let RoIs through that the trace did not record, and without its model nothing can "
    "score them"
)
_RPN = ("rpn_pre_nms_top_n", "rpn_post_nms_top_n", "rpn_nms", "rpn_score")


def replay_as_recorded(replayer: Replayer, thresholds: Thresholds) -> tuple[Replay, str]:
    """The replay under `thresholds`; a trace without its model keeps its RPN thresholds where it must.

    Returns:
        The replay, and the sentence that says so; empty where all thresholds were applied.
    """
    try:
        return replayer.replay(thresholds), ""
    except ValueError:
        if replayer.detector is not None:
            raise
    own = replayer.trace.thresholds
    kept = thresholds.replace(**{name: getattr(own, name) for name in _RPN})
    return replayer.replay(kept), UNSEEN
