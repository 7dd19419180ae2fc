"""Images of a data set with what a finished run says of them, drawn into PNG files without a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2

from detector.data.sealed import replace_file
from viz_app.figures.kept_boxes import kept_groups
from viz_app.figures.raster import draw_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from detector.data.coco_export import AnnotatedImages
    from detector.judging.kept_run import KeptRun
    from detector.judging.rows import ImageReport


def annotated_picture(pixels: Tensor, report: ImageReport, categories: Sequence[str]) -> np.ndarray:
    """The image with its objects and detections, uint8 RGB [h, w, 3].

    Args:
        pixels: uint8 [3, H, W].
        report: of the image.
        categories: the detector's K names, index 0 is background.
    """
    return draw_picture(pixels, kept_groups(report, categories))


def write_pictures(
    run: KeptRun,
    dataset: AnnotatedImages,
    folder: Path,
    most: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a PNG for each image; the number of files. A name begins with the image's place: no two are equal.

    Args:
        run: read from its folder.
        dataset: the one the run is about.
        folder: an existing one.
        most: only so many, from the first one.
        progress: told (done, total) after each.

    Raises:
        ValueError, OSError: an image cannot be read, or a file not be written.
    """
    reports = run.reports[:most]
    for count, report in enumerate(reports, start=1):
        drawn = annotated_picture(dataset[report.index][0], report, run.categories)
        data = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))[1].tobytes()
        replace_file(folder / picture_name(report), data)
        if progress is not None:
            progress(count, len(reports))
    return len(reports)


def picture_name(report: ImageReport) -> str:
    """Name of an image's PNG, such as `000012_street.png`."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", report.image.rpartition(".")[0] or report.image)[:80]
    return f"{report.index:06d}_{stem}.png"
