"""Hooks on a model's stages: the only place that registers any.

`capture` runs one forward of its own; `recording` listens to the caller's forwards, training steps included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from detector.data.images import InputImage, read_image
from detector.models.detector import Detector, TwoStageModel, lock_of
from detector.tracing.assemble import assemble_traces
from detector.tracing.capture_checks import check_shape, check_target
from detector.tracing.looking import looking
from detector.tracing.memory_need import refuse_too_large
from detector.tracing.raw import RawForward
from detector.tracing.spies import MatcherSpy, SamplerSpy
from detector.tracing.trace import Trace

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth

Source = Any  # whatever `read_image` takes
STAGES = {"resize": "transform", "backbone": "backbone", "RPN": "rpn", "RoI heads": "roi_heads"}
"""What a forward goes through, in order, each with the part of the model that does it."""
Note = Callable[[RawForward, Any, Any], Iterator[tuple[str, Any]]]


class Recorder:
    """Listens to the forwards of one model in one thread and turns each into traces.

    Args:
        model: the model, used in place.
        detector: name and categories for the traces.
        limit: number of traces after which nothing more is kept (a trace holds its feature maps).
    """

    def __init__(self, detector: Detector, *, limit: int) -> None:
        self.traces: list[Trace] = []
        self.names: Sequence[str] | None = None
        self.pixels: Sequence[Tensor] | None = None
        self.cloned: set[str] = set()
        self.last: RawForward | None = None
        self._detector, self._limit, self._thread = detector, limit, get_ident()
        self._running: RawForward | None = None

    def __deepcopy__(self, _memo: dict[int, Any]) -> Recorder:
        return self  # hooks travel along when a model is copied; they ignore every model but their own

    @contextmanager
    def installed(self) -> Iterator[Recorder]:
        """Hooks and spies in place; all gone afterwards, also when the block raises."""
        model = self._detector.model
        with ExitStack() as stack:
            for module, note in _stages(model):
                handle = module.register_forward_hook(self._keeper(note), with_kwargs=True)
                stack.callback(handle.remove)
            begin = model.register_forward_pre_hook(self._begin, with_kwargs=True)
            stack.callback(begin.remove)
            # Called also when the forward raises, so that the lock never stays held.
            end = model.register_forward_hook(self._end, always_call=True)
            stack.callback(end.remove)
            for spy in self._spies(model):
                stack.enter_context(spy.installed())
            stack.callback(self._give_up)
            yield self

    def _spies(self, model: TwoStageModel) -> Iterator[MatcherSpy | SamplerSpy]:
        def running() -> RawForward | None:
            return self._running

        for spy in (MatcherSpy, SamplerSpy):
            yield spy(model.rpn, "rpn", running)
            yield spy(model.roi_heads, "roi", running)

    def _begin(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if (
            model is not self._detector.model
            or get_ident() != self._thread
            or len(self.traces) >= self._limit
        ):
            return
        lock_of(model).acquire()
        images = args[0] if args else kwargs["images"]
        targets = args[1] if len(args) > 1 else kwargs.get("targets")
        self._running = RawForward(list(images), targets, model.training)
        self._running.rpn_positive_iou = self._detector.model.rpn.proposal_matcher.high_threshold

    def _end(self, model: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        forward = self._running
        if forward is None or model is not self._detector.model or get_ident() != self._thread:
            return
        try:
            self._running = None
            if output is not None:
                forward.output = output
                self._finish(forward)
        finally:
            lock_of(model).release()

    def _give_up(self) -> None:
        """Let go of a forward that Ctrl+C ended: torch calls no hook then, not even `always_call` ones."""
        if self._running is not None:
            self._running = None
            lock_of(self._detector.model).release()

    def _finish(self, forward: RawForward) -> None:
        self.last = forward
        fresh = set(forward.overwritten()) - self.cloned
        self.cloned |= fresh
        with torch.no_grad():
            traces = assemble_traces(forward, self._detector, self.names, self.pixels)
        self.traces.extend(traces[: self._limit - len(self.traces)])

    def _keeper(self, note: Note) -> Callable[..., None]:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            forward = self._running
            if forward is None or get_ident() != self._thread:
                return
            for stage, value in note(forward, (*args, *kwargs.values()), output):
                forward.keep(stage, value, clone=stage in self.cloned)

        return hook


@contextmanager
def watching(
    model: nn.Module,
    enter: Callable[[str, nn.Module, tuple[Any, ...]], None],
    leave: Callable[[str, nn.Module, tuple[Any, ...], Any], None],
) -> Iterator[None]:
    """Call `enter` before and `leave` after each call of each part of `model` in this thread.

    Both get the part's name, the part, and its arguments by position, keywords last; `leave` its output, too.
    All hooks are gone afterwards, also when the block raises.
    """
    thread = get_ident()

    def hooks(name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if get_ident() == thread:
                enter(name, module, (*args, *kwargs.values()))

        def after(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            if get_ident() == thread:
                leave(name, module, (*args, *kwargs.values()), output)

        return before, after

    with ExitStack() as stack:
        for name, module in model.named_modules():
            before, after = hooks(name)
            stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(after, with_kwargs=True).remove)
        yield


@contextmanager
def _announced(model: TwoStageModel, tell: Callable[[str], None] | None) -> Iterator[None]:
    """Say the name of each of `STAGES` as it begins."""

    def saying(name: str, tell: Callable[[str], None]) -> Callable[..., None]:
        return lambda *_: tell(name)

    if tell is None:
        yield
        return
    with ExitStack() as stack:
        for name, part in STAGES.items():
            handle = getattr(model, part).register_forward_pre_hook(saying(name, tell))
            stack.callback(handle.remove)
        yield


def _stages(model: TwoStageModel) -> Iterator[tuple[nn.Module, Note]]:
    """The modules to listen to, each with what its output holds."""
    heads = model.roi_heads
    body = getattr(model.backbone, "body", None)
    yield model.transform, _note_transform
    if isinstance(body, nn.Module):
        yield body, _noting("body", named=True)
    yield model.backbone, _noting("pyramid", named=True)
    yield model.rpn.anchor_generator, _noting("anchors")
    yield model.rpn.head, _note_pair("rpn_objectness", "rpn_deltas")
    yield model.rpn, lambda _forward, _args, output: iter([("proposals", output[0])])
    yield (
        heads.box_roi_pool,
        lambda _forward, args, output: iter([("roi_boxes", args[1]), ("pooled", output)]),
    )
    yield heads.box_head, _noting("embedding")
    yield heads.box_predictor, _note_pair("class_logits", "box_deltas")
    for name, stage in (("mask_predictor", "mask_logits"), ("keypoint_predictor", "keypoint_logits")):
        module = getattr(heads, name, None)
        if isinstance(module, nn.Module):
            yield module, _noting(stage)


def _noting(stage: str, *, named: bool = False) -> Note:
    def note(_forward: RawForward, _args: Any, output: Any) -> Iterator[tuple[str, Any]]:
        # A backbone without pyramid returns one bare tensor; torchvision names it "0" too.
        yield stage, {"0": output} if named and isinstance(output, Tensor) else output

    return note


def _note_pair(first: str, second: str) -> Note:
    def note(_forward: RawForward, _args: Any, output: Any) -> Iterator[tuple[str, Any]]:
        yield first, output[0]
        yield second, output[1]

    return note


def _note_transform(forward: RawForward, _args: Any, output: Any) -> Iterator[tuple[str, Any]]:
    forward.network = output[0]
    yield "network_targets", output[1]


@contextmanager
def recording(
    model: TwoStageModel | Detector, categories: Sequence[str] | None = None, *, limit: int = 64
) -> Iterator[Recorder]:
    """Listen to the caller's own forwards of `model`, in inference or training mode; the loop stays as it is.

    Each forward adds one trace per image to `recorder.traces`. In training mode a trace holds the very samples
    that the step drew, their labels and targets, and the four losses. Gradients, random state and outputs are
    what they would have been without the recording. A stage that the model overwrites in place is named in
    `trace.overwritten` the first time and copied from then on.

    Args:
        model: a torchvision `GeneralizedRCNN`, or a `Detector`.
        categories: names for the traces; numbered ones when left out.
        limit: number of traces after which nothing more is kept.

    Raises:
        TypeError: not a `GeneralizedRCNN`.
    """
    detector = model if isinstance(model, Detector) else Detector.wrap(model, categories)
    with Recorder(detector, limit=limit).installed() as recorder:
        yield recorder


def capture(
    detector: Detector,
    image: Source,
    target: GroundTruth | None = None,
    *,
    on_stage: Callable[[str], None] | None = None,
) -> Trace:
    """Everything that one image goes through in `detector`, in inference mode.

    The model is left as it was: parameters, buffers, training flags, random state, hooks, thresholds.

    Args:
        detector: what is looked at.
        image: what `read_image` takes: path, bytes, PIL image, uint8 HWC array, float CHW tensor.
        target: the objects of the image, image frame, if they are known.
        on_stage: told the name of each of `STAGES` as it begins.

    Raises:
        ValueError: an image that cannot be read or needs more memory than is free, or a target that is not its.
    """
    return capture_batch(detector, [image], [target], on_stage=on_stage)[0]


def capture_batch(
    detector: Detector,
    images: Sequence[Source],
    targets: Sequence[GroundTruth | None] | None = None,
    *,
    on_stage: Callable[[str], None] | None = None,
) -> list[Trace]:
    """As `capture`, for several images in one forward (they are padded to a common size); one trace each."""
    inputs = [image if isinstance(image, InputImage) else read_image(image) for image in images]
    known = list(targets) if targets is not None else [None] * len(inputs)
    for source, target in zip(inputs, known, strict=True):
        check_shape(detector, source)
        refuse_too_large(detector, source.size, source.name)
        check_target(detector, source, target)
    device = next(detector.model.parameters()).device
    tensors = [source.tensor.to(device) for source in inputs]
    recorder = Recorder(detector, limit=len(inputs))
    recorder.names = [source.name for source in inputs]
    recorder.pixels = [source.pixels for source in inputs]
    with looking(detector.model), recorder.installed(), _announced(detector.model, on_stage):
        detector.model(tensors)
        if recorder.cloned:
            recorder.traces.clear()
            detector.model(tensors)
    return [
        trace.with_source(source.pixels, target)
        for trace, source, target in zip(recorder.traces, inputs, known, strict=True)
    ]
