"""What is looked at: torchvision's detectors, the project's own pyramid detector, and checkpoints of either."""

from detector.models.checkpoints import load_checkpoint, save_checkpoint
from detector.models.detector import Detector
from detector.models.losses import LossWeights
from detector.models.pyramid import LOSS_NAMES, PyramidConfig, PyramidDetector, build_pyramid
from detector.models.zoo import detector_names, load_detector

__all__ = [
    "LOSS_NAMES",
    "Detector",
    "LossWeights",
    "PyramidConfig",
    "PyramidDetector",
    "build_pyramid",
    "detector_names",
    "load_checkpoint",
    "load_detector",
    "save_checkpoint",
]
