"""What the hooks collect during one forward of a model, before it is taken apart into traces.

Shapes: `B` images, the rest as torchvision's modules hand it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchvision.models.detection.image_list import ImageList


@dataclass(frozen=True, slots=True, eq=False)
class SamplerCall:
    """One call of a positive/negative sampler: its labels and the masks it drew, a tensor per image."""

    labels: list[Tensor]
    positives: list[Tensor]
    negatives: list[Tensor]


@dataclass(slots=True, eq=False)
class RawForward:
    """Outputs of the stages of one forward, by reference; a field is None until its module has run."""

    images: list[Tensor]
    targets: list[dict[str, Tensor]] | None
    training: bool
    network: ImageList | None = None
    network_targets: list[dict[str, Tensor]] | None = None
    body: dict[str, Tensor] | None = None
    pyramid: dict[str, Tensor] | None = None
    rpn_objectness: list[Tensor] | None = None
    rpn_deltas: list[Tensor] | None = None
    anchors: list[Tensor] | None = None
    proposals: list[Tensor] | None = None
    roi_boxes: list[Tensor] | None = None
    pooled: Tensor | None = None
    embedding: Tensor | None = None
    class_logits: Tensor | None = None
    box_deltas: Tensor | None = None
    mask_logits: Tensor | None = None
    keypoint_logits: Tensor | None = None
    rpn_matches: list[Tensor] = field(default_factory=list)
    rpn_overlaps: list[Tensor] = field(default_factory=list)
    rpn_positive_iou: float = 1.0
    rpn_sample: SamplerCall | None = None
    roi_matches: list[Tensor] = field(default_factory=list)
    roi_sample: SamplerCall | None = None
    output: list[dict[str, Tensor]] | dict[str, Tensor] | None = None
    versions: list[tuple[str, Tensor, int]] = field(default_factory=list)

    def keep(self, stage: str, value: object, *, clone: bool) -> None:
        """Note the output of a stage; only its first call counts (a module may serve twice).

        Args:
            stage: name of the field.
            value: a tensor, or a list or dict of tensors.
            clone: copy it, because the model is known to write into it later.
        """
        if getattr(self, stage) is not None:
            return
        value = _map_tensors(value, (lambda tensor: tensor.detach().clone()) if clone else _detach)
        setattr(self, stage, value)
        for tensor in _tensors(value):
            if not tensor.is_inference():
                self.versions.append((stage, tensor, tensor._version))

    def overwritten(self) -> tuple[str, ...]:
        """Stages that something has written into since they were kept."""
        changed = (stage for stage, tensor, version in self.versions if tensor._version != version)
        return tuple(dict.fromkeys(changed))


def _detach(tensor: Tensor) -> Tensor:
    return tensor.detach()  # shares storage and version counter


def _map_tensors(value: object, function: Callable[[Tensor], Tensor]) -> object:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return {name: _map_tensors(item, function) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_tensors(item, function) for item in value]
    return value


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tensors(item)
