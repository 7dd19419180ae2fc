"""Detectors, which sessions share, and captured images, of each session its own: all that Streamlit caches.

Every cache is keyed on text that names the exact content (SHA-256 of bytes, settings, of files on disk when they
were written and how long they are), never on a tensor: Streamlit samples large arrays when it hashes them, and two
images could meet.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from detector import Replayer, capture
from detector.data.datasets import open_dataset
from detector.data.images import read_image
from detector.judging.parts import part_files
from detector.models.zoo import load_detector
from detector.tracing.trace_file import parse_trace
from viz_app import state
from viz_app.dataset_scenes import annotations_written, item_choice
from viz_app.jobs.job import written
from viz_app.jobs.kept_reports import KeptReports
from viz_app.jobs.readable import check_images, private_folder, readable_detector, readable_source
from viz_app.jobs.session_folder import SessionFolder, sweep
from viz_app.loading import load_named
from viz_app.memory import trim_soon
from viz_app.scenes import ImageChoice, bundled_scenes

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.data.datasets import AnyDataset
    from detector.judging.comparison_records import Comparison
    from detector.judging.confusion_cells import ConfusedPair
    from detector.judging.dataset_diagnosis import DatasetDiagnosis
    from detector.judging.doctor_survey import Survey
    from detector.judging.evaluation_records import Evaluation
    from detector.judging.object_shapes import ObjectShapes
    from detector.models.detector import Detector
    from viz_app.detector_spec import DetectorSpec

# A captured image holds its feature maps: 200 MB for a ResNet-50 on a large photo, 10 MB for a bundled scene.
MOST_TRACES = 4
MOST_DETECTORS = 3
MOST_DATASETS = 3
MOST_ITEMS = 60  # a file, or the bytes of a small one
_FILE_NAME = re.compile(r"\w[\w.=+ -]{0,99}", re.ASCII)


def detector(spec: DetectorSpec) -> Detector:
    """The detector, loaded once; raises ValueError with a sentence for people where that fails."""
    return _detector(spec.key, spec)


def replayer(spec: DetectorSpec, image: ImageChoice, on_stage: Callable[[str], None]) -> Replayer:
    """The image captured through the detector, once; raises ValueError with a sentence for people.

    Args:
        spec: the detector.
        image: the image.
        on_stage: told each stage of the forward as it begins, if there is one; it must not draw by itself.
    """
    # The name too: a trace carries it, and two sessions may call the same image differently.
    return _replayer(spec.key, f"{image.key}|{image.name}|{image.sha256}", spec, image, on_stage)


def opened(image: ImageChoice) -> Replayer:
    """The trace that an uploaded file holds, without its model; raises ValueError with a sentence for people."""
    return _opened(f"{image.name}|{image.sha256}", image)


@st.cache_resource(scope="session", show_spinner=False)
def desk() -> dict[str, tuple[tuple[object, ...], dict[str, object]]]:
    """What the parts of the present page were drawn with, by name; gone when the session ends."""
    return {}


@st.cache_resource(show_spinner=False)
def swept() -> None:
    """Once in a server's life: what the sessions of dead servers have left is removed."""
    sweep()


# The cache is emptied whenever the connection breaks; the session itself may come back.
@st.cache_resource(scope="session", on_release=SessionFolder.close_later, show_spinner=False)
def session_folder() -> SessionFolder:
    """Where this session's uploads lie on disk; gone soon after it ends. Each run asks for it, so that it stays."""
    own: SessionFolder | None = state.remembered("session folder", None)
    if own is None:
        own = SessionFolder()
        state.remember("session folder", own)
    return own.stay()


@st.cache_resource(show_spinner=False)
def scenes() -> tuple[ImageChoice, ...]:
    """The bundled scenes."""
    return bundled_scenes()


def dataset(source: str) -> AnyDataset:
    """A data set, opened once; raises ValueError or OSError with a sentence for people where that fails."""
    return _dataset(source, annotations_written(readable_source(source)))


def dataset_image(source: str, index: int) -> ImageChoice:
    """One image of a data set with its objects; raises ValueError or OSError with a sentence for people."""
    return _dataset_image(source, index, annotations_written(readable_source(source)))


def dataset_objects(source: str, limit: int, on_progress: Callable[[int, int], None]) -> Survey:
    """The objects on the first images of a data set, read once; raises ValueError or OSError as `dataset`.

    Args:
        source: the data set.
        limit: so many images.
        on_progress: told images so far and images in all; it must not draw by itself.
    """
    return _dataset_objects(source, annotations_written(readable_source(source)), limit, on_progress)


def object_shapes(spec: DetectorSpec | None, source: str, survey: Survey) -> ObjectShapes:
    """The shapes of objects in a detector's network frame, measured once; in the image frame without a detector.

    Args:
        spec: the detector.
        source: the data set.
        survey: its objects.
    """
    key = f"{annotations_written(source)}|{len(survey.images)}|{'' if spec is None else spec.key}"
    return _object_shapes(source, key, spec, survey)


def diagnosis(folder: Path) -> DatasetDiagnosis:
    """A finished diagnosis of a data set, read once; raises ValueError or OSError with a sentence for people."""
    return _diagnosis(str(folder), written(folder / "summary.json"))


def evaluation(folder: Path) -> Evaluation:
    """What a finished diagnosis says of the detector, worked out once; raises as `diagnosis`."""
    files = (folder / "summary.json", *part_files(folder, "losses"))
    return _evaluation(str(folder), written(*files))


def comparison(a: Path, b: Path) -> Comparison:
    """Two finished diagnoses of the same data set, compared once; raises as `diagnosis`."""
    return _comparison(str(a), str(b), written(a / "summary.json"), written(b / "summary.json"))


def confused_pairs(folder: Path, score: float, iou: float) -> tuple[ConfusedPair, ...]:
    """What lies in the cells of a confusion matrix; see `detector.judging.confusion_cells`."""
    return _confused_pairs(str(folder), written(folder / "summary.json"), score, iou)


def kept_reports(folder: Path) -> KeptReports:
    """The detections of each image of a finished diagnosis."""
    return _kept_reports(str(folder), written(folder / "summary.json"))


@st.cache_resource(max_entries=MOST_DATASETS, show_spinner="Working out the evaluation …")
def _evaluation(folder: str, files: str) -> Evaluation:
    del files
    from detector.judging.evaluation import evaluation_of

    return evaluation_of(folder)


@st.cache_resource(max_entries=MOST_DATASETS, show_spinner="Comparing the two …")
def _comparison(a: str, b: str, files_a: str, files_b: str) -> Comparison:
    del files_a, files_b
    from detector.judging.comparison import compare

    return compare(a, b)


@st.cache_resource(max_entries=MOST_DATASETS, show_spinner="Looking into the cells …")
def _confused_pairs(folder: str, files: str, score: float, iou: float) -> tuple[ConfusedPair, ...]:
    del files
    from detector.judging.confusion_cells import confused_pairs as pairs_of
    from detector.judging.kept_run import read_run

    return tuple(pairs_of(read_run(folder).reports, score, iou))


@st.cache_resource(max_entries=MOST_DATASETS, show_spinner=False)
def _kept_reports(folder: str, files: str) -> KeptReports:
    del files
    return KeptReports(Path(folder))


@st.cache_resource(max_entries=MOST_DATASETS, show_spinner="Opening the data set …")
def _dataset(source: str, files: str) -> AnyDataset:
    del files  # another one where they were written again
    found = open_dataset(source)
    check_images(found)
    return found


@st.cache_resource(max_entries=MOST_ITEMS, show_spinner=False)
def _dataset_image(source: str, index: int, files: str) -> ImageChoice:
    del files
    return item_choice(dataset(source), source, index)


@st.cache_resource(max_entries=MOST_DATASETS, show_spinner=False)
def _dataset_objects(source: str, files: str, limit: int, _on_progress: Callable[[int, int], None]) -> Survey:
    del files
    from detector.judging.object_survey import survey_objects

    return survey_objects(dataset(source), limit=limit, progress=_on_progress)


@st.cache_resource(max_entries=MOST_DATASETS, show_spinner="Laying the anchors over the objects …")
def _object_shapes(source: str, key: str, _spec: DetectorSpec | None, _survey: Survey) -> ObjectShapes:
    del source, key
    from detector.judging.object_shapes import object_shapes as measured
    from detector.judging.object_survey import without_crowd

    return measured(without_crowd(_survey), None if _spec is None else detector(_spec).model)


@st.cache_resource(max_entries=MOST_DATASETS, show_spinner="Reading the diagnosis …")
def _diagnosis(folder: str, files: str) -> DatasetDiagnosis:
    del files
    from detector.judging.dataset_diagnosis import load_diagnosis

    return load_diagnosis(folder)


@st.cache_resource(max_entries=MOST_DETECTORS, show_spinner="Loading the detector …")
def _detector(key: str, _spec: DetectorSpec) -> Detector:
    del key  # Streamlit's key; the spec itself is not hashed
    if _spec.data is not None:
        return _from_upload(_spec, _spec.data)
    return load_named(readable_detector(_spec.source), _spec.weights, _spec.words.said())


# Of each session its own, and gone with it: an image that was opened is not kept for whoever comes next.
@st.cache_resource(scope="session", max_entries=MOST_TRACES, on_release=trim_soon, show_spinner=False)
def _replayer(
    key: str, image: str, _spec: DetectorSpec, _image: ImageChoice, _on_stage: Callable[[str], None]
) -> Replayer:
    del key, image
    model = detector(_spec)
    truth = None if _image.annotations is None else _image.annotations.known_to(model)
    source = read_image(_image.source, name=_image.name)
    return Replayer(capture(model, source, truth, on_stage=_on_stage), model)


@st.cache_resource(
    scope="session", max_entries=MOST_TRACES, on_release=trim_soon, show_spinner="Opening the trace …"
)
def _opened(key: str, _image: ImageChoice) -> Replayer:
    del key
    data = _image.source if isinstance(_image.source, bytes) else _image.source.read_bytes()
    found = Replayer(parse_trace(data, _image.name))
    found.replay()  # one that cannot be replayed here is refused, before a page asks for it
    return found


def _from_upload(spec: DetectorSpec, data: bytes) -> Detector:
    """Load an uploaded checkpoint through a file that only this process sees and that is gone afterwards."""
    with private_folder() as folder:
        # What a browser calls a file may be a path, too long, or no name at all.
        path = folder / (spec.source if _FILE_NAME.fullmatch(spec.source) else "checkpoint")
        path.write_bytes(data)
        try:
            found = load_detector(str(path), **spec.words.said())
            return replace(found, name=Path(spec.source).name)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), spec.source)) from error
