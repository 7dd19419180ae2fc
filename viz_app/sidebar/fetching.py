"""Downloading torchvision's weights under the eyes of whoever waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.models.downloads import amount_in_words
from detector.models.families import TORCHVISION_NAMES
from detector.models.zoo import download

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from viz_app.detector_spec import DetectorSpec


def fetch(spec: DetectorSpec, box: DeltaGenerator) -> None:
    """Bring the weights that a detector needs into the cache, with a bar in `box` while they come.

    Before the detector is loaded and not while: what Streamlit caches must draw nothing outside of itself.

    Raises:
        ValueError: they cannot be downloaded.
    """
    if spec.weights is None or spec.source not in TORCHVISION_NAMES:
        return
    place = box.empty()
    shown = ""

    def show(came: int, total: int | None) -> None:
        nonlocal shown
        text = f"Downloading the weights of {spec.source}: {amount_in_words(came, total)}"
        if text != shown:
            place.progress(came / total if total else 0.0, text)
            shown = text

    try:
        download(spec.source, spec.weights, show)
    finally:
        place.empty()
