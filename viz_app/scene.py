"""What every inspection page shows: one image through one detector, replayed under the chosen thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis
    from detector.models.detector import Detector
    from detector.tracing.replay import Replay, Replayer
    from detector.tracing.trace import Trace


class ModelNeeded(ValueError):
    """Something that only the model can tell was asked of a scene that was opened from a trace file."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image through one detector.

    Args:
        model: what is looked at; None where a trace was opened from a file, without its model.
        trace: what was captured.
        replayer: replays the trace; remembers what it computed.
        replay: both filters under the thresholds of the sidebar.
        diagnosis: one verdict per object under these thresholds; None without ground truth.
    """

    model: Detector | None
    trace: Trace
    replayer: Replayer
    replay: Replay
    diagnosis: Diagnosis | None

    @property
    def detector(self) -> Detector:
        """The detector; pages wrap what needs it in `parts.with_model`.

        Raises:
            ModelNeeded: the scene was opened from a trace file.
        """
        if self.model is None:
            raise ModelNeeded(
                f"This needs the model itself, and {self.trace.input.name} was opened from a trace of "
                f"{self.trace.detector}"
            )
        return self.model
