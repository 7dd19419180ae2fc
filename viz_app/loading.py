"""One way to load a detector, for the app, for its processes and for the command."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from viz_app.jobs.job import run_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.models.detector import Detector


def load_named(model: str, weights: str | None = None, words: Mapping[str, Any] | None = None) -> Detector:
    """The detector that `load_detector` makes of a name or a file; a checkpoint of a run is called after the run.

    Random weights are the same at every start, so that a link shows the same numbers and a run can go on.

    Args:
        model: what `load_detector` takes.
        weights: `DEFAULT`, or None for random ones of a torchvision name.
        words: keywords for a checkpoint that does not say everything itself.

    Raises:
        ValueError: as `load_detector`.
    """
    import torch

    from detector.models.families import TORCHVISION_NAMES
    from detector.models.zoo import load_detector

    if model not in TORCHVISION_NAMES:
        detector = load_detector(model, weights=weights, **(words or {}))
        return replace(detector, name=run_name(model) or detector.name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return load_detector(model, weights=weights)
