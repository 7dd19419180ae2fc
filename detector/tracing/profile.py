"""What each part of a model takes in and gives out on one image, and what share of time and memory is its own.

One extra forward under the model's lock; the model is left as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from detector.tracing.capture import watching
from detector.tracing.looking import looking

if TYPE_CHECKING:
    from detector.models.detector import Detector
    from detector.tracing.trace import Trace

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PartProfile:
    """One part of a model, all that is nested in it counted.

    Args:
        name: in the model, such as `backbone.body`; empty for the model itself.
        kind: its class.
        inputs: shapes of the tensors that it was given in its first call.
        outputs: shapes of the tensors that it gave in its first call.
        parameters: how many numbers it has to learn, or had.
        trainable: how many of them get gradients.
        parameter_bytes: memory of the parameters.
        calls: how often it ran; the RPN's head runs each of its layers once per pyramid level.
        seconds: that it took in all calls.
        activation_bytes: memory of the tensors that the layers in it made, as a training step would keep them.
    """

    name: str
    kind: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    parameters: int
    trainable: int
    parameter_bytes: int
    calls: int
    seconds: float
    activation_bytes: int

    @property
    def depth(self) -> int:
        """How far it is nested: 0 for the model, 1 for its stages."""
        return self.name.count(".") + 1 if self.name else 0


@dataclass(frozen=True, slots=True)
class Profile:
    """A model on one image.

    Args:
        parts: in the order in which they ran, each before what is nested in it; the first is the model.
    """

    parts: tuple[PartProfile, ...]

    @property
    def whole(self) -> PartProfile:
        """The model itself."""
        return self.parts[0]


def profile(detector: Detector, trace: Trace) -> Profile:
    """Run the image of `trace` through the model once more, with a clock on every part.

    Args:
        detector: the model, in inference mode whatever mode it is in; it is left as it was.
        trace: whose image is run.
    """
    model = detector.model
    device = next(model.parameters()).device
    image = trace.input.pixels.to(device, torch.float32) / 255
    clock = _Clock(device)
    with looking(model), watching(model, clock.enter, clock.leave):
        model([image])
    return Profile(tuple(note.finished() for note in clock.notes.values()))


@dataclass(slots=True, eq=False)
class _Note:
    """What is known of one part while the model runs."""

    name: str
    module: nn.Module
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...] | None = None
    calls: int = 0
    seconds: float = 0.0
    activation_bytes: int = 0
    starts: list[float] = field(default_factory=list)

    def finished(self) -> PartProfile:
        parameters = list(self.module.parameters())
        return PartProfile(
            self.name, type(self.module).__name__, self.inputs, self.outputs or (),
            sum(value.numel() for value in parameters),
            sum(value.numel() for value in parameters if value.requires_grad),
            sum(value.nbytes for value in parameters),
            self.calls, self.seconds, self.activation_bytes,
        )  # fmt: skip


class _Clock:
    """Notes the parts in the order in which they start."""

    def __init__(self, device: torch.device) -> None:
        self.notes: dict[str, _Note] = {}
        self._running: list[_Note] = []
        self._device = device

    def enter(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        note = self.notes.get(name)
        if note is None:
            note = self.notes[name] = _Note(name, module, _shapes(args))
        self._running.append(note)
        note.starts.append(self._now())

    def leave(self, _name: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:  # noqa: ANN401
        note = self._running.pop()
        note.seconds += self._now() - note.starts.pop()
        note.calls += 1
        if note.outputs is None:
            note.outputs = _shapes(output)
        if not any(True for _ in module.children()):
            made = _fresh_bytes(args, output)
            for part in (note, *self._running):
                part.activation_bytes += made

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return perf_counter()


def _fresh_bytes(args: tuple[Any, ...], output: Any) -> int:  # noqa: ANN401
    """Memory of the tensors that a layer made; one that it only passes on or writes into costs nothing."""
    given = {tensor.data_ptr() for tensor in _tensors(args)}
    return sum(tensor.nbytes for tensor in _tensors(output) if tensor.data_ptr() not in given)


def _shapes(value: Any) -> tuple[Shape, ...]:  # noqa: ANN401
    return tuple(tuple(tensor.shape) for tensor in _tensors(value))


def _tensors(value: Any) -> Iterator[Tensor]:  # noqa: ANN401 - whatever a module takes and gives
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, ImageList):
        yield value.tensors
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
