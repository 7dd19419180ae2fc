"""What a detector is fed: images, and data sets of images with their objects."""

from detector.data.annotated import AnnotatedFiles
from detector.data.coco import CocoDataset
from detector.data.coco_export import write_coco
from detector.data.datasets import AnyDataset, ground_truth_of, open_dataset, splits_of
from detector.data.ground_truth import GroundTruth
from detector.data.shapes import ShapesDataset
from detector.data.voc import VocDataset
from detector.data.yolo import YoloDataset

__all__ = [
    "AnnotatedFiles",
    "AnyDataset",
    "CocoDataset",
    "GroundTruth",
    "ShapesDataset",
    "VocDataset",
    "YoloDataset",
    "ground_truth_of",
    "open_dataset",
    "splits_of",
    "write_coco",
]
