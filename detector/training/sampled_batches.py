"""The training x-ray: what one training step drew from each image of its batch.

Shapes: `N` anchors, `S` sampled RoIs, `G` objects of an image.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.tracing.capture import recording
from detector.training.kept_traces import keep_traces, kept_images, kept_trace, numbered, slim
from detector.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from detector.models.detector import Detector
    from detector.tracing.capture import Recorder
    from detector.tracing.trace import Trace

_PREFIX = "step_"


@dataclass(frozen=True, slots=True, eq=False)
class SampledBatch:
    """One training step, seen from inside.

    Args:
        step: from 1.
        images: a trace in training mode for each image of the batch (of the first process, where there are
            several): its pixels as they were learned from, its objects, and in `training` the anchors and RoIs that
            were drawn, with labels, targets and shares of the losses.
    """

    step: int
    images: tuple[Trace, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectSamples:
    """What each object of an image was given to learn from, int64 [G] each.

    Args:
        positive_anchors: anchors that are labelled as this object.
        drawn_anchors: those of them that the RPN's loss drew.
        drawn_rois: RoIs that the second stage's losses drew as this object, its own box as RoI left out: that one
            is drawn, too, however badly the RPN does.
    """

    positive_anchors: Tensor
    drawn_anchors: Tensor
    drawn_rois: Tensor

    @property
    def without_anchor(self) -> Tensor:
        """Objects, int64, that no drawn anchor stood for."""
        return (self.drawn_anchors == 0).nonzero().flatten()

    @property
    def without_roi(self) -> Tensor:
        """Objects, int64, that no proposal stood for."""
        return (self.drawn_rois == 0).nonzero().flatten()


def object_samples(trace: Trace) -> ObjectSamples:
    """How often each object of a training trace was drawn.

    Raises:
        ValueError: a trace without a training view.
    """
    view, truth = trace.training, trace.ground_truth
    if view is None or truth is None:
        raise ValueError(f"{trace.input.name} was not traced in a training step")
    count, anchors, rois = len(truth), view.anchors, view.rois
    drawn = anchors.matched[anchors.positives]
    proposals = rois.matched[~rois.is_object]
    return ObjectSamples(_times(anchors.matched, count), _times(drawn, count), _times(proposals, count))


def _times(matched: Tensor, count: int) -> Tensor:
    """How often each of `count` objects is matched; -1 is none."""
    return torch.bincount(matched[matched >= 0], minlength=count)


def sampled_steps(folder: Path) -> list[int]:
    """The steps of a run whose batches were kept, in order.

    Args:
        folder: of the run.
    """
    return numbered(RunDirectory(folder).batches, _PREFIX)


def sampled_batch(folder: Path, step: int) -> SampledBatch:
    """One of them; the model is not needed.

    Raises:
        ValueError: there is no such step, or a file is damaged.
    """
    place = batch_folder(folder, step)
    images = kept_images(place)
    if not images:
        raise ValueError(f"{place}: no batch was kept of step {step}")
    return SampledBatch(step, tuple(kept_trace(place, image) for image in images))


class BatchRecorder:
    """Listens to one training step and keeps its batch; the step computes what it would have computed anyway.

    Args:
        folder: of the run.
        detector: around the model that is trained.
    """

    def __init__(self, folder: Path, detector: Detector) -> None:
        self._folder, self._detector = folder, detector
        self._stack = ExitStack()
        self._recorder: Recorder | None = None

    def begin(self, names: Sequence[str]) -> None:
        """Listen to the next forward.

        Args:
            names: of the images of its batch.
        """
        self._recorder = self._stack.enter_context(recording(self._detector, limit=len(names)))
        self._recorder.names = names

    def end(self, step: int) -> None:
        """Stop listening and write down what was heard, if anything.

        Raises:
            OSError: the files cannot be written.
        """
        heard = self._recorder.traces if self._recorder is not None else []
        self.forget()
        if heard:
            keep_traces(batch_folder(self._folder, step), (slim(trace, embedding=False) for trace in heard))

    def forget(self) -> None:
        """Stop listening."""
        self._stack.close()
        self._recorder = None


def batch_folder(folder: Path, step: int) -> Path:
    """Where the batch of one step lies; it need not be there.

    Args:
        folder: of the run.
        step: number of the step.
    """
    return RunDirectory(folder).batches / f"{_PREFIX}{step:06d}"
