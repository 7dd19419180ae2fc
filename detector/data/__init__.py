"""What a detector is fed: images, and data sets of images with their objects."""

from detector.data.coco import CocoDataset
from detector.data.coco_export import write_coco
from detector.data.datasets import ground_truth_of, open_dataset
from detector.data.ground_truth import GroundTruth
from detector.data.shapes import ShapesDataset

__all__ = [
    "CocoDataset",
    "GroundTruth",
    "ShapesDataset",
    "ground_truth_of",
    "open_dataset",
    "write_coco",
]
