"""What every inspection page shows: one image through one detector, replayed under the chosen thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.explaining.ladder import Diagnosis
    from detector.models.detector import Detector
    from detector.tracing.replay import Replay, Replayer
    from detector.tracing.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image through one detector.

    Args:
        detector: what is looked at.
        trace: what was captured.
        replayer: replays the trace; remembers what it computed.
        replay: both filters under the thresholds of the sidebar.
        diagnosis: one verdict per object under these thresholds; None without ground truth.
    """

    detector: Detector
    trace: Trace
    replayer: Replayer
    replay: Replay
    diagnosis: Diagnosis | None
