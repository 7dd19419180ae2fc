"""COCO's average precision by pycocotools, and quick answers to "what if these images were different".

pycocotools evaluates image by image and only then puts all together. Where few images differ from what was
evaluated before, only those are evaluated again; the result is what pycocotools gives for the whole.

Boxes are xyxy in the image frame; labels 1..K-1.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detector.judging.summary import CocoScores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detector.judging.rows import Found, Truth

_ALL_AREAS = 4


@dataclass(frozen=True, slots=True)
class ImageBoxes:
    """Objects and detections of one image; `image` is any number that no other image has."""

    image: int
    truth: tuple[Truth, ...]
    detections: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Averages:
    """AP over IoU .50 to .95, and at .50; None where there is no object."""

    AP: float | None
    AP50: float | None


class CocoJudge:
    """Average precision of some images, and of the same images with a few of them changed.

    Args:
        images: all of them.
        labels: K-1, the number of categories.
    """

    def __init__(self, images: Sequence[ImageBoxes], labels: int) -> None:
        self._images, self._labels = tuple(images), labels
        self._judge = _evaluated(self._images, labels) if images else None

    @property
    def scores(self) -> CocoScores:
        """COCO's six averages."""
        if self._judge is None:
            return CocoScores(None, None, None, None, None, None)
        return CocoScores(*(_known(value) for value in self.statistics[:6]))

    @property
    def statistics(self) -> np.ndarray:
        """All twelve numbers that pycocotools prints, float64; -1 where there is nothing to average over."""
        assert self._judge is not None
        return self._judge.stats

    @property
    def precision(self) -> np.ndarray:
        """As pycocotools has it: float64 [10 IoU thresholds, 101 recalls, K-1 categories], of all sizes."""
        assert self._judge is not None
        return self._judge.eval["precision"][:, :, :, 0, -1]

    @property
    def recall50(self) -> np.ndarray:
        """Recall of each category at IoU .50, float64 [K-1]; -1 where there is no object."""
        assert self._judge is not None
        return self._judge.eval["recall"][0, :, 0, -1]

    @property
    def by_label(self) -> dict[int, float | None]:
        """AP of each category."""
        if self._judge is None:
            return {}
        return {label: _mean(self.precision[:, :, label - 1]) for label in range(1, self._labels + 1)}

    def averages(self, changed: Sequence[ImageBoxes] = ()) -> Averages:
        """AP and AP50 of all images, those in `changed` taking the place of the ones with the same number."""
        if self._judge is None:
            return Averages(None, None)
        if not changed:
            return _averages(self._judge.eval["precision"])
        return _averages(self._spliced(changed).eval["precision"])

    def _spliced(self, changed: Sequence[ImageBoxes]) -> Any:  # noqa: ANN401 - pycocotools has no types
        """As `_evaluated` for all images and all sizes together, evaluating only the changed ones."""
        judge: Any = self._judge
        numbers = [image.image for image in self._images]
        place = {number: column for column, number in enumerate(judge.params.imgIds)}
        kept = np.array(judge.evalImgs, dtype=object).reshape(self._labels, _ALL_AREAS, len(numbers))[:, 0]
        part = _prepared(changed, self._labels)
        part.params.areaRng, part.params.areaRngLbl = part.params.areaRng[:1], part.params.areaRngLbl[:1]
        _quietly(part.evaluate)
        fresh = np.array(part.evalImgs, dtype=object).reshape(self._labels, len(changed))
        kept = kept.copy()
        for column, number in enumerate(part.params.imgIds):
            kept[:, place[number]] = fresh[:, column]
        part.params.imgIds = judge.params.imgIds
        part.evalImgs, part._paramsEval = kept.reshape(-1).tolist(), part.params
        part.params.maxDets = part.params.maxDets[-1:]
        _quietly(part.accumulate)
        return part


def coco_annotations(images: Sequence[ImageBoxes]) -> Iterator[dict[str, Any]]:
    """The objects as COCO writes them, numbered from 1."""
    number = 0
    for image in images:
        for one in image.truth:
            number += 1
            yield {
                "id": number,
                "image_id": image.image,
                "category_id": one.label,
                "iscrowd": int(one.crowd),
                "bbox": xywh(one.box),
                "area": one.area,
            }


def coco_results(images: Sequence[ImageBoxes]) -> Iterator[dict[str, Any]]:
    """The detections as COCO's results file has them."""
    for image in images:
        for one in image.detections:
            yield {
                "image_id": image.image,
                "category_id": one.label,
                "bbox": xywh(one.box),
                "score": one.score,
            }


def coco_contents(images: Sequence[ImageBoxes], labels: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the two COCO objects of an evaluation hold, truth and detections, without a file between.

    Args:
        images: objects and detections.
        labels: K-1, the number of categories.
    """
    categories = [{"id": label, "name": str(label)} for label in range(1, labels + 1)]
    shared = {"images": [{"id": image.image} for image in images], "categories": categories}
    results = [
        # What `loadRes` adds; that of pycocotools refuses an empty list, and no detection is a result, too.
        {**one, "id": k, "area": one["bbox"][2] * one["bbox"][3], "iscrowd": 0}
        for k, one in enumerate(coco_results(images), start=1)
    ]
    return {**shared, "annotations": list(coco_annotations(images))}, {**shared, "annotations": results}


def xywh(box: tuple[float, float, float, float]) -> list[float]:
    """A box xyxy as COCO writes it: `[x, y, width, height]`."""
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]


def _prepared(images: Sequence[ImageBoxes], labels: int) -> Any:  # noqa: ANN401
    truth: Any = COCO()
    found: Any = COCO()
    for coco, content in zip((truth, found), coco_contents(images, labels), strict=True):
        coco.dataset = content
        _quietly(coco.createIndex)
    judge: Any = COCOeval(truth, found, "bbox")
    # pycocotools leaves out categories and images that the truth does not name: here it names all.
    judge.params.catIds = list(range(1, labels + 1))
    return judge


def _evaluated(images: Sequence[ImageBoxes], labels: int) -> Any:  # noqa: ANN401
    judge = _prepared(images, labels)
    for step in (judge.evaluate, judge.accumulate, judge.summarize):
        _quietly(step)
    return judge


def _quietly(step: Any) -> None:  # noqa: ANN401
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        step()


def _averages(precision: np.ndarray) -> Averages:
    """From [IoU thresholds, recalls, categories, sizes, limits]."""
    whole = precision[:, :, :, 0, -1]
    return Averages(_mean(whole), _mean(whole[0]))


def _mean(precision: np.ndarray) -> float | None:
    """As pycocotools averages: over what is not -1."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None


def _known(value: float) -> float | None:
    return None if value < 0 else float(value)
