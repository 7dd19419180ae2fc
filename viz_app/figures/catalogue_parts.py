"""What an entry of the catalogue of pictures is, and what it is drawn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from detector.data.images import read_image
from detector.explaining.ladder import diagnose
from detector.explaining.verdicts import Diagnosis
from detector.tracing.capture import capture
from detector.tracing.replay import Replay, Replayer
from detector.tracing.roi_losses import RoiLosses, roi_losses
from detector.tracing.sampling import training_trace

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go
    from torch import Tensor

    from detector.data.ground_truth import GroundTruth
    from detector.models.detector import Detector
    from detector.tracing.samples import TrainingView
    from detector.tracing.trace import Trace
    from viz_app.figures.picture import BoxGroup
    from viz_app.scenes import ImageChoice


class Material:
    """One image through one detector, with whatever a picture may be drawn from; computed when it is asked for.

    Args:
        detector: what is looked at.
        image: with the objects that it is known to hold.
    """

    def __init__(self, detector: Detector, image: ImageChoice) -> None:
        self.detector = detector
        known = None if image.annotations is None else image.annotations.known_to(detector)
        self.trace = capture(detector, read_image(image.source, name=image.name), known)
        self.replayer = Replayer(self.trace, detector)
        self.replay: Replay = self.replayer.replay()

    @cached_property
    def truth(self) -> GroundTruth:
        """The objects; raises ValueError where none are known."""
        if self.trace.ground_truth is None:
            raise ValueError(f"{self.trace.input.name} has no ground truth")
        return self.trace.ground_truth

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """A verdict for each object."""
        return diagnose(self.replay, self.truth)

    @cached_property
    def step(self) -> Trace:
        """A training step on the image, under seed 0."""
        return training_trace(self.detector, self.trace)

    @property
    def view(self) -> TrainingView:
        """The samples of the training step."""
        assert self.step.training is not None
        return self.step.training

    @cached_property
    def losses(self) -> RoiLosses:
        """What each sampled RoI costs."""
        return roi_losses(self.view.rois)

    @property
    def rois(self) -> Tensor:
        """All RoIs, int64 [R]."""
        return torch.arange(len(self.replay.head.boxes))

    @property
    def roi(self) -> int:
        """The RoI of the best detection."""
        return int(self.replay.rois[0])


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes and a layer over the image of a material, or over pixels of its own.

    Args:
        groups: image frame.
        overlay: uint8 [h, w, 4] RGBA, or None.
        pixels: uint8 [3, H, W]; those of the image where None.
    """

    groups: list[BoxGroup]
    overlay: Tensor | None = None
    pixels: Tensor | None = None


if TYPE_CHECKING:
    Drawing = Boxes | go.Figure | np.ndarray | pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One picture of the list of all pictures.

    Args:
        id: in that list, such as `R9`.
        shows: what is to be seen.
        page: of the app.
        view: of that page, or the part of it.
        figure: the function that makes it.
        draw: makes it from a material.
        heads: `mask` or `keypoint` where the model must have such heads.
    """

    id: str
    shows: str
    page: str
    view: str
    figure: Callable[..., Any]
    draw: Callable[[Material], Drawing]
    heads: str = ""

    @property
    def function(self) -> str:
        """Module and name of the function, such as `viz_app.figures.rpn.top_groups`."""
        return f"{self.figure.__module__}.{self.figure.__qualname__}"
