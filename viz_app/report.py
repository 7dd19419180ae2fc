"""Reports: one HTML file of an image or of a data set, which opens anywhere and without a network.

    save_report(image_report(replayer, replay, diagnosis), "scene.html")
    save_report(dataset_report("runs/evaluation", "data/val"), "val.html")

The pictures are the app's own canvas: boxes answer the pointer, wheel and keys zoom, thresholds of an image can be
moved. Nothing here needs Streamlit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.datasets import open_dataset
from detector.data.sealed import replace_file
from detector.judging.coco_results import refuse_another
from detector.judging.evaluation import evaluation_of
from detector.judging.kept_run import read_run
from viz_app.report_dataset import dataset_page
from viz_app.report_gallery import MOST_CARDS
from viz_app.report_image import image_page
from viz_app.report_page import page_html

if TYPE_CHECKING:
    from detector.data.coco_export import AnnotatedImages
    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay, Replayer

SUFFIX = ".html"


def image_report(replayer: Replayer, replay: Replay, diagnosis: Diagnosis | None = None) -> str:
    """The report of an image: strip, picture, and the ladder of every annotated object with its remedy.

    Args:
        replayer: of the trace.
        replay: what is shown.
        diagnosis: of this replay; None where nothing is annotated.
    """
    return page_html(image_page(replayer, replay, diagnosis))


def dataset_report(
    folder: str | Path, dataset: AnnotatedImages | str | Path | None = None, *, most: int = MOST_CARDS
) -> str:
    """The report of a data set: waterfall, lost objects with their images, and COCO's numbers.

    Args:
        folder: of a finished evaluation or diagnosis.
        dataset: the one that the run is about; opened by the name that the run keeps when left out.
        most: how many lost objects are shown; each brings its image along.

    Raises:
        ValueError: no finished run in the folder, another data set, or a data set that cannot be opened.
        OSError: an image cannot be read.
    """
    if most < 1:
        raise ValueError(f"most is {most}; expected 1 or more")
    run = read_run(folder)
    given = run.summary.dataset if dataset is None else dataset
    opened = open_dataset(given) if isinstance(given, str | Path) else given
    refuse_another(run, opened)
    return page_html(dataset_page(run, evaluation_of(folder), opened, most))


def check_report(path: str | Path) -> Path:
    """A file that `save_report` can write; raises ValueError where the ending or the folder does not fit."""
    path = Path(path)
    if path.suffix.lower() != SUFFIX:
        raise ValueError(f"{path}: a report is a web page; expected a file that ends in {SUFFIX}")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file to write")
    return path


def save_report(report: str, path: str | Path) -> Path:
    """Write a report, complete or not at all.

    Raises:
        ValueError: as `check_report`.
        OSError: the file cannot be written.
    """
    path = check_report(path)
    replace_file(path, report.encode())
    return path
