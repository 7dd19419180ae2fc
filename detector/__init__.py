"""Boxscope's detector package: capture what a two-stage detector does, replay its filters, say why."""

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
    "load_detector",
    "recording",
    "trace_lineage",
]
