"""For tests: an object must get past a rung of the ladder, or the test fails with the ladder as its message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from detector.data.ground_truth import GroundTruth
from detector.explaining.ladder import diagnose
from detector.explaining.ladder_text import ladder_text
from detector.explaining.rungs import Rung
from detector.tracing.capture import capture
from detector.tracing.replay import Replayer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from detector.data.images import ImageSource
    from detector.models.detector import Detector
    from detector.tracing.thresholds import Thresholds


def assert_survives(
    detector: Detector,
    image: ImageSource,
    box: Tensor | Sequence[float],
    label: int | str,
    rung: Rung = Rung.RPN_NMS,
    *,
    thresholds: Thresholds | None = None,
    iou: float = 0.5,
) -> None:
    """Fail unless the object gets past a rung, that is, unless a candidate of it passes this rung.

    Args:
        detector: what is tested.
        image: what `capture` takes: a path, bytes, an array or a tensor.
        box: xyxy [4] of the object, px, **image** frame.
        label: its category, by name or index.
        rung: that it must pass; `Rung.FOUND` asks that it be found.
        thresholds: of both filters; the model's own by default.
        iou: the overlap that counts, inclusive.

    Raises:
        AssertionError: it was lost at the rung or before; the message is the ladder.
        ValueError: a box that is degenerate or lies outside the image, an unknown category, or a detector whose
            output a replay does not reproduce: what the ladder says would not be about it.
        TypeError: a rung that is none.
    """
    if not isinstance(rung, Rung):
        raise TypeError(f"rung is {rung!r}; expected one of Rung, such as Rung.RPN_NMS")
    trace = capture(detector, image)
    if not trace.faithful:
        raise ValueError(
            f"the replay does not reproduce the output of {detector.name} on {trace.input.name} (it overrides one "
            "of torchvision's filters, or its numbers are not finite), so nothing can be asserted about a rung"
        )
    truth = one_object(box, label, trace.categories, trace.input.image_size)
    replay = Replayer(trace, detector).replay(thresholds)
    diagnosis = diagnose(replay, truth, iou)
    verdict = diagnosis.verdicts[0]
    if verdict.rung <= rung and verdict.rung is not Rung.FOUND:
        raise AssertionError(f"the object did not get past {rung.name}:\n{ladder_text(diagnosis, verdict)}")


def one_object(
    box: Tensor | Sequence[float], label: int | str, categories: Sequence[str], image_size: tuple[int, int]
) -> GroundTruth:
    """The ground truth of an image that is asked about one object.

    Args:
        box: xyxy [4], px, **image** frame.
        label: its category, by name or index.
        categories: K names, index 0 is background.
        image_size: (height, width), px.

    Raises:
        ValueError: four finite numbers are expected, x2 > x1 and y2 > y1, and a box that overlaps the image;
            or there is no such category.
    """
    corners = torch.as_tensor(box, dtype=torch.float32).detach().cpu().reshape(-1)
    said = ", ".join(f"{value:g}" for value in corners.tolist())
    if len(corners) != 4 or not bool(torch.isfinite(corners).all()):
        raise ValueError(f"the box is [{said}]; expected four finite numbers x1, y1, x2, y2")
    x1, y1, x2, y2 = corners.tolist()
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"the box [{said}] has no area; expected x1, y1, x2, y2 with x2 > x1 and y2 > y1")
    height, width = image_size
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        raise ValueError(
            f"the box [{said}] lies outside the image of {width} × {height} px; expected pixels of the file"
        )
    return GroundTruth(corners[None], torch.tensor([category_index(label, categories)]))


def category_index(label: int | str, categories: Sequence[str]) -> int:
    """Index of a category given by name or index; raises ValueError with the list of names."""
    names = ", ".join(categories[1:])
    if isinstance(label, str):
        if label in categories[1:]:
            return categories.index(label, 1)
        raise ValueError(f"there is no category {label!r}; there are {names}")
    if isinstance(label, bool) or not 0 < int(label) < len(categories):
        raise ValueError(f"there is no category {label}; expected 1 to {len(categories) - 1}: {names}")
    return int(label)
