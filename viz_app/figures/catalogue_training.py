"""The catalogue's pictures of a training: two real runs of a few steps on bundled images, made when asked for."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from viz_app.bundled import sample_images_folder
from viz_app.figures.catalogue_parts import Entry, Material
from viz_app.figures.epoch_curves import recall_figure
from viz_app.figures.loss_curves import losses_figure, overlaid_losses
from viz_app.figures.probe_pictures import film_strip, glance_at, probe_frame
from viz_app.figures.run_curves import RunCurve, run_color

if TYPE_CHECKING:
    from detector.training.config import RunConfig

_PAGE = "Train"
_EPOCHS, _IMAGES = 2, 4
_NAMES = ("gentle", "bold")


def _config(lr: float, probes: int) -> RunConfig:
    from detector.training.config import DataConfig, Recipe, RunConfig, TrainerConfig

    images = str(sample_images_folder())
    data = DataConfig(images, images, limit_train=_IMAGES, limit_val=_IMAGES, batch_size=2)
    return RunConfig(
        data=data,
        recipe=Recipe(lr=lr, warmup_steps=2),
        trainer=TrainerConfig("cpu", 1),
        epochs=_EPOCHS,
        probes=probes,
    )


@lru_cache(maxsize=2)
def _run(place: int) -> tempfile.TemporaryDirectory[str]:
    """A run in a folder that goes with this process. It starts from the bundled detector: its probes see something.

    Args:
        place: 0 for a gentle learning rate, with a probe; 1 for a bold one.
    """
    from detector.training.fit import fit

    folder = tempfile.TemporaryDirectory(prefix="boxscope-")
    fit(_config((1e-4, 5e-3)[place], (1, 0)[place]), folder.name)
    return folder


def _curve(place: int) -> RunCurve:
    from detector.training.metrics_log import MetricsReader

    reader = MetricsReader(Path(_run(place).name))
    reader.new()
    return RunCurve(_NAMES[place], reader.steps, reader.epochs, 1.0, run_color(place))


def _film(one: Material) -> np.ndarray:
    from detector.training.probe_reading import probe_epochs, probe_trace

    del one
    folder = Path(_run(0).name)
    epochs = probe_epochs(folder)
    glances = [glance_at(probe_frame(epoch, probe_trace(folder, epoch, 0))) for epoch in epochs]
    return _on_white(film_strip(glances, "detections", epochs[-1]))


def _on_white(drawn: np.ndarray) -> np.ndarray:
    """uint8 RGBA [h, w, 4] as RGB on white paper."""
    alpha = drawn[..., 3:] / 255
    return (drawn[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)


ENTRIES = (
    Entry(
        "P1", "the four losses and their sum; learning rate and gradient norm", _PAGE, "Curves: Losses, Pace",
        losses_figure, lambda one: losses_figure(_curve(0)),
    ),
    Entry(
        "P2", "AP and the recall of each stage per epoch", _PAGE, "Curves: What becomes of the objects",
        recall_figure, lambda one: recall_figure(_curve(0)),
    ),
    Entry(
        "P3", "probes over the epochs: objectness, proposals, detections, rungs", _PAGE, "Time machine", film_strip,
        _film,
    ),
    Entry(
        "P4", "several runs laid over one another", _PAGE, "Curves, with runs ticked", overlaid_losses,
        lambda one: overlaid_losses([_curve(0), _curve(1)]),
    ),
)  # fmt: skip
