"""Which input pixels each value of a tensor was made of, followed through the operators as they run.

The operators run on tensors without data (torch's `meta` device), so that a whole backbone takes a fraction of
a second, no weight is read, and whatever Python code calls them (branches, sums, functional layers) is followed
in the order of execution.

Shapes: (h, w) of a tensor [..., h, w].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

from detector.tracing.footprint_rules import Footprint, Tracked, follow

if TYPE_CHECKING:
    from torch._ops import OpOverload


class FootprintMode(TorchDispatchMode):
    """While it is entered, follows what is computed from one tensor.

    Args:
        source: a tensor [..., h, w] on the meta device.
    """

    def __init__(self, source: Tensor) -> None:
        super().__init__()
        self._known: dict[int, tuple[Tensor, Footprint]] = {}
        self._note(source, Footprint.of_input(*source.shape[-2:]))

    def footprint(self, tensor: Tensor) -> Footprint | None:
        """What `tensor` was made of; None where it does not depend on the source."""
        known = self._known.get(id(tensor))
        return None if known is None else known[1]

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operator returns
        """Run one operator without data and note what its outputs were made of."""
        args, named = tree_map(_without_data, (args, kwargs or {}))
        if "device" in named:
            named["device"] = torch.device("meta")
        tracked: Tracked = []
        for value in tree_iter((args, named)):
            found = self.footprint(value) if isinstance(value, Tensor) else None
            if found is not None:
                tracked.append((tuple(value.shape), found))
        outputs = func(*args, **named)
        for value in tree_iter(outputs):
            if tracked and isinstance(value, Tensor):
                self._note(value, follow(func, args, named, tracked, tuple(value.shape)))
        return outputs

    def _note(self, tensor: Tensor, footprint: Footprint) -> None:
        # The tensor is kept too: an id is only unique among objects that are alive.
        self._known[id(tensor)] = (tensor, footprint)


def _without_data(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Tensor) and not value.is_meta:
        return torch.empty_like(value, device="meta")
    return value
