"""Boxscope's detector package: capture what a two-stage detector does, replay its filters, say why."""

from typing import TYPE_CHECKING, Any

from detector.data.ground_truth import GroundTruth
from detector.explaining.ladder import diagnose
from detector.models.detector import Detector
from detector.models.zoo import load_detector
from detector.tracing.capture import capture, recording
from detector.tracing.filters import DetectionFate, ProposalFate
from detector.tracing.lineage import trace_lineage
from detector.tracing.replay import Replay, Replayer
from detector.tracing.thresholds import Thresholds
from detector.tracing.trace import Trace

if TYPE_CHECKING:
    from detector.judging.dataset_diagnosis import diagnose_dataset

__all__ = [
    "DetectionFate",
    "Detector",
    "GroundTruth",
    "ProposalFate",
    "Replay",
    "Replayer",
    "Thresholds",
    "Trace",
    "capture",
    "diagnose",
    "diagnose_dataset",
    "load_detector",
    "recording",
    "trace_lineage",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """`diagnose_dataset` on first use: it brings pandas and pycocotools, which one image does not need."""
    if name != "diagnose_dataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from detector.judging.dataset_diagnosis import diagnose_dataset

    return diagnose_dataset
