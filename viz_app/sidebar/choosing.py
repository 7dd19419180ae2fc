"""Sidebar widgets that say which detector and which image are wanted; nothing is loaded here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from detector.data.images import read_image
from detector.models.families import TORCHVISION_NAMES
from detector.tracing.trace_file import parse_trace
from viz_app import resources, state
from viz_app.detector_spec import DetectorSpec
from viz_app.figures.words import plural
from viz_app.jobs.quotas import MOST_IMAGES, SESSION_BYTES, beyond_quota, within_quota, words
from viz_app.jobs.readable import WHERE_READ, named_detector
from viz_app.links import DEFAULT_MODEL
from viz_app.problems import as_sentence, show_problem
from viz_app.scenes import ImageChoice, digest
from viz_app.sidebar.visiting import take_wanted, visited_images

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.runtime.uploaded_file_manager import UploadedFile

REFUSED = "refused"
"""Name under which a session remembers what could not be opened, and why."""

_FILE, _UPLOAD = "checkpoint file", "uploaded checkpoint"
_OWN, _RANDOM = "torchvision's own", "random"
_MODEL, _WEIGHTS, _PATH, _IMAGE = "model", "weights", "path", "image"


def choose_detector() -> DetectorSpec | None:
    """The detector that the widgets ask for; None while a path or a file is still missing."""
    asked = state.choice()
    known = (DEFAULT_MODEL, *TORCHVISION_NAMES)
    state.seed_widget(_MODEL, asked.model if asked.model in known else _FILE)
    kind = st.selectbox(
        "Detector",
        (*known, _FILE, _UPLOAD),
        key=_MODEL,
        format_func=_detector_label,
        on_change=other_detector,
    )
    if kind == _UPLOAD:
        return _uploaded_detector()
    if kind == _FILE:
        state.seed_widget(_PATH, "" if asked.model in known else asked.model)
        path = st.text_input(
            "Path of the checkpoint",
            key=_PATH,
            placeholder="/path/to/best.safetensors",
            help=WHERE_READ,
            on_change=other_detector,
        ).strip()
        return _with_words(DetectorSpec(named_detector(path))) if path else None
    if kind == DEFAULT_MODEL:
        return DetectorSpec(DEFAULT_MODEL)
    state.seed_widget(_WEIGHTS, _RANDOM if asked.weights is None and asked.model == kind else _OWN)
    weights = st.segmented_control(
        "Weights", (_OWN, _RANDOM), key=_WEIGHTS, required=True, on_change=other_detector,
        help="torchvision's own weights are downloaded once; random ones show the stages without a download.",
    )  # fmt: skip
    return DetectorSpec(kind, "DEFAULT" if weights == _OWN else None)


def show_checkpoint(path: str) -> None:
    """Show the detector in a checkpoint file from the next run of the script on; in a callback."""
    other_detector()
    state.set_widget(_MODEL, _FILE)
    state.set_widget(_PATH, path)
    state.choose(replace(state.choice(), model=path, weights=None))


def choose_image(box: DeltaGenerator) -> ImageChoice | None:
    """The image that the widgets ask for: a bundled scene, one of a data set, an upload; problems go to `box`.

    None only where the bundled scenes are missing and nothing was uploaded.
    """
    chooser = st.container()
    with st.expander("Open images …", icon=":material/upload:"):
        files = st.file_uploader(
            "Images, or traces that were saved of them",
            accept_multiple_files=True,
            key="uploads",
            label_visibility="collapsed",
            help="Photos and drawings, and `.trace` files of `boxscope trace` or `Trace.save`. "
            f"{MOST_IMAGES} at a time, {words(SESSION_BYTES)} together; they go when this page is closed.",
        )
    uploads, fresh = _read_uploads(files, box)
    images = {image.key: image for image in (*_bundled(box), *visited_images(), *uploads)}
    if not images:
        return None
    if fresh is not None:
        state.set_widget(_IMAGE, fresh)
        _other_image()
    _seed_image(images)
    with chooser:
        key = st.selectbox(
            "Image",
            list(images),
            key=_IMAGE,
            format_func=lambda key: _image_label(images[key]),
            on_change=_other_image,
        )
    return images[key]


def _bundled(box: DeltaGenerator) -> tuple[ImageChoice, ...]:
    try:
        return resources.scenes()
    except (OSError, ValueError) as problem:
        show_problem(box, problem)
        return ()


def _seed_image(images: dict[str, ImageChoice]) -> None:
    """Take the image of a page or of the link, or the first one; also where an upload that was shown is gone."""
    first, wanted = next(iter(images)), take_wanted()
    if wanted in images:
        state.set_widget(_IMAGE, wanted)
    if state.widget(_IMAGE) is None:
        asked = state.choice().image
        if asked is not None and asked not in images:
            state.notice(f"There is no image called {asked!r}; the first one is shown")
        state.set_widget(_IMAGE, asked if asked in images else first)
    elif state.widget(_IMAGE) not in images:
        state.set_widget(_IMAGE, first)


def _read_uploads(files: list[UploadedFile], box: DeltaGenerator) -> tuple[list[ImageChoice], str | None]:
    """Images among the uploaded files, and the key of the first one that came in this run."""
    before: dict[str, ImageChoice | str] = state.remembered("uploads", {})
    taken = within_quota([(file.file_id, file.size) for file in files])
    now = {
        file.file_id: before.get(file.file_id) or _check_upload(file)
        for file in files
        if file.file_id in taken
    }
    if len(taken) < len(files):
        show_problem(box, beyond_quota(len(files) - len(taken)))
    state.remember("uploads", now)
    for problem in (outcome for outcome in now.values() if isinstance(outcome, str)):
        show_problem(box, problem)
    images = {outcome.key: outcome for outcome in now.values() if isinstance(outcome, ImageChoice)}
    fresh = (
        outcome.key for name, outcome in now.items() if name not in before and not isinstance(outcome, str)
    )
    return list(images.values()), next(fresh, None)


def _check_upload(file: UploadedFile) -> ImageChoice | str:
    """The image or the trace, or the sentence that says why it is neither."""
    data = file.getvalue()
    is_trace = Path(file.name).suffix.lower() == ".trace"
    try:
        if is_trace:
            parse_trace(data, file.name)
        else:
            read_image(data, name=file.name)
    except ValueError as error:
        return as_sentence(error)
    sha256 = digest(data)
    key = f"upload:{sha256}"
    return ImageChoice(key, file.name, sha256, data, file.name, is_trace=is_trace, has_link=False)


def _uploaded_detector() -> DetectorSpec | None:
    file = st.file_uploader("Checkpoint", key="checkpoint", on_change=other_detector)
    if file is None:
        return None
    data = file.getvalue()
    return _with_words(DetectorSpec(file.name, data=data, sha256=digest(data)))


def _with_words(spec: DetectorSpec) -> DetectorSpec:
    """With what was said of this very file before."""
    return replace(spec, words=state.words_of(spec.file))


def _detector_label(kind: str) -> str:
    return f"{kind} · bundled" if kind == DEFAULT_MODEL else f"{kind} …" if kind in (_FILE, _UPLOAD) else kind


def _image_label(image: ImageChoice) -> str:
    if image.annotations is None:
        return image.label
    return f"{image.label} · {plural(len(image.annotations.truth), 'object')}"


def other_detector() -> None:
    """Another model has thresholds of its own, and asking again is worth a try."""
    state.forget_notices()
    state.remember(REFUSED, {})
    state.choose(replace(state.choice(), thresholds=(), selected=None, asked=None))


def _other_image() -> None:
    state.forget_notices()
    state.choose(replace(state.choice(), selected=None, asked=None))
