"""A detector, a data set and a diagnosis whose names are markup, formulas, templates and terminal codes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from detector.data.datasets import ground_truth_of
from detector.data.shapes import ShapesDataset
from detector.models.checkpoints import save_checkpoint
from detector.models.zoo import load_detector

NAMES = (
    "<img src=x onerror=document.title='owned'>",
    "[x](javascript:alert(1))",
    "$\\int$ <b>bold</b>",
    ":red[x] **strong** `code`",
    "%{x} %{customdata} </script><script>document.title='owned'</script>",
    "\x1b[31mred\x1b[0m\u202etxt",
)
"""Of the categories, as many as the bundled detector has."""
IMAGE = "<img src=x onerror=document.title='owned'> $x$ :red[y].png"


def hostile_checkpoint(path: Path) -> Path:
    """The bundled detector under these names."""
    detector = load_detector("shapes")
    assert len(detector.categories) == len(NAMES) + 1
    save_checkpoint(path, detector.model, categories=("background", *NAMES))
    return path


def hostile_dataset(folder: Path, count: int = 3) -> Path:
    """Drawn scenes as a COCO folder with these names; the first image's file name is hostile, too."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, (pixels, target) in enumerate(ShapesDataset(count, seed=3), 1):
        name = IMAGE if number == 1 else f"{number}.png"
        data = cv2.imencode(".png", cv2.cvtColor(pixels.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2BGR))[1]
        (folder / "images" / name).write_bytes(data.tobytes())
        images.append({"id": number, "file_name": name, "height": pixels.shape[1], "width": pixels.shape[2]})
        truth = ground_truth_of(target)
        for (x1, y1, x2, y2), label in zip(truth.boxes.tolist(), truth.labels.tolist(), strict=True):
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "category_id": label, "image_id": number}
            annotations.append({"id": len(annotations) + 1, "area": (x2 - x1) * (y2 - y1), **box})
    categories = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder
