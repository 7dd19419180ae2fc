"""The detections of a finished run as COCO's results file, under the ids of the data set's own file.

pycocotools 2.0.11 fails on a results file without detections: `COCO.loadRes` looks at the first entry of the list
to see what kind of results they are (IndexError). So a file without detections holds one placeholder: a box of no
size and of score 0 on the first image, marked `"placeholder": true`. It loads, matches nothing, and every AP and AR
is what no detections at all give: 0 for a category with objects, -1 for one without. (faster-coco-eval loads the
empty list, too.)

Boxes are `[x, y, width, height]` in pixels of the image frame.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detector.data.categories import label_map
from detector.data.coco import CocoDataset
from detector.judging.identity import dataset_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.data.coco_export import AnnotatedImages
    from detector.judging.kept_run import KeptRun


@dataclass(frozen=True, slots=True)
class CocoResults:
    """A results file.

    Args:
        text: the file, JSON.
        detections: how many it holds, the placeholder not counted.
        left_out: detections of categories that the data set does not have; COCO has no id for them.
    """

    text: str
    detections: int
    left_out: int


def coco_results_of(run: KeptRun, dataset: AnnotatedImages) -> CocoResults:
    """The results file of a run.

    Ids are those of a COCO file; of another data set those that `write_coco` gives (`boxscope convert`): images and
    categories are numbered from 1 in their order.

    Args:
        run: read from its folder.
        dataset: the one the run is about.

    Raises:
        ValueError: another data set.
    """
    refuse_another(run, dataset)
    ids = _category_ids(run, dataset)
    entries = list(_entries(run, dataset, ids))
    every = sum(len(report.detections) for report in run.reports)
    shown = entries or ([_placeholder(dataset)] if len(dataset) else [])
    return CocoResults(json.dumps(shown, separators=(",", ":")) + "\n", len(entries), every - len(entries))


def refuse_another(run: KeptRun, dataset: AnnotatedImages) -> None:
    """Refuse a data set that the run is not about.

    Raises:
        ValueError: another data set, or other annotations.
    """
    if run.dataset_sha256 and dataset_digest(dataset) != run.dataset_sha256:
        raise ValueError(
            f"{run.folder} is about {run.summary.dataset}; this is another data set, or its annotations have "
            "changed"
        )


def _entries(run: KeptRun, dataset: AnnotatedImages, ids: dict[int, int]) -> Iterator[dict[str, Any]]:
    for report in run.reports:
        image = _image_id(dataset, report.index)
        for one in report.detections:
            if one.label in ids:
                x1, y1, x2, y2 = one.box
                yield {
                    "image_id": image,
                    "category_id": ids[one.label],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": one.score,
                }


def _category_ids(run: KeptRun, dataset: AnnotatedImages) -> dict[int, int]:
    """The data set's id of each of the detector's labels that it knows."""
    own = dataset.category_ids if isinstance(dataset, CocoDataset) else range(1, len(dataset.categories))
    labels = label_map(dataset.categories, run.categories)[1:]
    return {label: number for label, number in zip(labels, own, strict=True) if label}


def _image_id(dataset: AnnotatedImages, index: int) -> int:
    if isinstance(dataset, CocoDataset):
        return dataset.images[index].id
    return index + 1


def _placeholder(dataset: AnnotatedImages) -> dict[str, Any]:
    category = dataset.category_ids[0] if isinstance(dataset, CocoDataset) else 1
    return {
        "image_id": _image_id(dataset, 0), "category_id": category, "bbox": [0.0, 0.0, 0.0, 0.0], "score": 0.0,
        "placeholder": True,
    }  # fmt: skip
