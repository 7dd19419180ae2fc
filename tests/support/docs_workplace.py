"""A folder in which the examples of the documents run: the files that they take for granted, and the names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from detector import load_detector
from detector.data import CocoDataset, ShapesDataset, write_coco
from support.docs import ROOT

BUNDLED = ROOT / "detector" / "models" / "weights" / "shapes.safetensors"
CORNERS_SEED = 5
"""Of the six scenes of README's data set that holds corners."""


def make_workplace(folder: Path) -> None:
    """A photo, data sets, a checkpoint, settings and a run, each under the name that the documents give it.

    The folder `workspace` in it is to be Boxscope's workspace.
    """
    samples = ROOT / "sample_images"
    (folder / "sample_images").symlink_to(samples)
    Image.open(samples / "scene_00.png").convert("RGB").save(folder / "photo.jpg")
    for name, seed in (("path/to/coco", 1), ("my_coco/train", 2), ("my_coco/val", 3)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_coco(ShapesDataset(2, seed=seed), folder / name)
    _write_corners(folder / "my_dataset")
    torch.save(load_detector("shapes").model.state_dict(), folder / "mine.pth")
    for name in ("run.yaml", "runs/shapes-1/config.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("epochs: 1\n")
    trained = folder / "workspace" / "runs" / "shapes-1" / "checkpoints"
    trained.mkdir(parents=True)
    shutil.copy(BUNDLED, trained / "best.safetensors")


def given_names() -> dict[str, Any]:
    """What a reader has already: a model, a batch, and the objects of the first image."""
    samples = CocoDataset(ROOT / "sample_images")
    pixels, truth = samples[0][0].float() / 255, samples.truth(0)
    return {
        "model": load_detector("shapes").model,
        "images": [pixels],
        "targets": [truth.as_target()],
        "boxes": truth.boxes,
        "labels": truth.labels,
    }


def _write_corners(folder: Path) -> None:
    """COCO annotations with corners where width and height belong."""
    file = write_coco(ShapesDataset(6, seed=CORNERS_SEED), folder, names="scene_{:05d}.png")
    document = json.loads(file.read_text())
    for annotation in document["annotations"]:
        x, y, width, height = annotation["bbox"]
        annotation["bbox"] = [x, y, x + width, y + height]
    file.write_text(json.dumps(document))
