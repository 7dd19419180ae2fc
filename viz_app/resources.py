"""Detectors, which sessions share, and captured images, of each session its own: all that Streamlit caches.

Every cache is keyed on text that names the exact content (SHA-256 of bytes, settings), never on a tensor:
Streamlit samples large arrays when it hashes them, and two images could meet.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector import Replayer, capture
from detector.data.images import read_image
from detector.models.families import TORCHVISION_NAMES
from detector.models.zoo import detector_names, load_detector
from detector.tracing.trace_file import parse_trace
from viz_app.file_words import FileWords
from viz_app.memory import trim_soon
from viz_app.scenes import ImageChoice, bundled_scenes

if TYPE_CHECKING:
    from detector.models.detector import Detector

# A captured image holds its feature maps: 200 MB for a ResNet-50 on a large photo, 10 MB for a bundled scene.
MOST_TRACES = 4
MOST_DETECTORS = 3


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """A detector that can be looked at.

    Args:
        source: what `load_detector` takes, or the file name of an uploaded checkpoint.
        weights: `DEFAULT`, or None.
        data: bytes of an uploaded checkpoint.
        sha256: their digest.
        words: what was said of a checkpoint that does not say it itself.
    """

    source: str
    weights: str | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)
    sha256: str = ""
    words: FileWords = field(default_factory=FileWords)

    @property
    def key(self) -> str:
        """Tells one content from another."""
        said = self.words.said()
        return "|".join((self.file, self.weights or "", repr(said) if said else ""))

    @property
    def file(self) -> str:
        """The file, whatever was said of it; one that was written again is another."""
        return f"{self.source}|{self.sha256 or self._written()}"

    @property
    def is_checkpoint(self) -> bool:
        """Whether it is a file that somebody brought."""
        return self.data is not None or self.source not in detector_names()

    def _written(self) -> str:
        if not Path(self.source).is_file():
            return ""
        status = Path(self.source).stat()
        return f"{status.st_mtime_ns}|{status.st_size}"


def detector(spec: DetectorSpec) -> Detector:
    """The detector, loaded once; raises ValueError with a sentence for people where that fails."""
    return _detector(spec.key, spec)


def replayer(spec: DetectorSpec, image: ImageChoice) -> Replayer:
    """The image captured through the detector, once; raises ValueError with a sentence for people."""
    # The name too: a trace carries it, and two sessions may call the same image differently.
    return _replayer(spec.key, f"{image.key}|{image.name}|{image.sha256}", spec, image)


def opened(image: ImageChoice) -> Replayer:
    """The trace that an uploaded file holds, without its model; raises ValueError with a sentence for people."""
    return _opened(f"{image.name}|{image.sha256}", image)


@st.cache_resource(show_spinner=False)
def scenes() -> tuple[ImageChoice, ...]:
    """The bundled scenes."""
    return bundled_scenes()


@st.cache_resource(max_entries=MOST_DETECTORS, show_spinner="Loading the detector …")
def _detector(key: str, _spec: DetectorSpec) -> Detector:
    del key  # Streamlit's key; the spec itself is not hashed
    if _spec.data is not None:
        return _from_upload(_spec, _spec.data)
    if _spec.source in TORCHVISION_NAMES:
        # Random weights are the same at every start, so that a link shows the same numbers.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return load_detector(_spec.source, weights=_spec.weights)
    return load_detector(_spec.source, **_spec.words.said())


# Of each session its own, and gone with it: an image that was opened is not kept for whoever comes next.
@st.cache_resource(
    scope="session",
    max_entries=MOST_TRACES,
    on_release=trim_soon,
    show_spinner="Running the detector on the image …",
)
def _replayer(key: str, image: str, _spec: DetectorSpec, _image: ImageChoice) -> Replayer:
    del key, image
    model = detector(_spec)
    truth = None if _image.annotations is None else _image.annotations.known_to(model)
    return Replayer(capture(model, read_image(_image.source, name=_image.name), truth), model)


@st.cache_resource(
    scope="session", max_entries=MOST_TRACES, on_release=trim_soon, show_spinner="Opening the trace …"
)
def _opened(key: str, _image: ImageChoice) -> Replayer:
    del key
    data = _image.source if isinstance(_image.source, bytes) else _image.source.read_bytes()
    return Replayer(parse_trace(data, _image.name))


def _from_upload(spec: DetectorSpec, data: bytes) -> Detector:
    """Load an uploaded checkpoint through a file that only this process sees and that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="boxscope-") as folder:
        path = Path(folder) / (Path(spec.source).name or "checkpoint")
        path.write_bytes(data)
        try:
            return load_detector(str(path), **spec.words.said())
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), path.name)) from error
