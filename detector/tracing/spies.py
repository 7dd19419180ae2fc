"""Wrappers around a model's matchers and samplers that note what a training step draws, and change nothing."""

from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal

from detector.tracing.raw import RawForward, SamplerCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn


class _Spy:
    """Stands in for an attribute of `owner` that is called, and passes everything on to it."""

    attribute: str

    def __init__(
        self, owner: nn.Module, prefix: Literal["rpn", "roi"], running: Callable[[], RawForward | None]
    ) -> None:
        self._owner, self._prefix, self._running = owner, prefix, running
        self._wrapped = getattr(owner, self.attribute)

    def __getattr__(self, name: str) -> Any:
        if name == "_wrapped":  # a copy in the making has none yet, and would ask itself for ever
            raise AttributeError(name)
        return getattr(self._wrapped, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return deepcopy(self._wrapped, memo)  # a copy of the model is not spied on

    @contextmanager
    def installed(self) -> Iterator[None]:
        """In place of the original for the length of the block."""
        setattr(self._owner, self.attribute, self)
        try:
            yield
        finally:
            setattr(self._owner, self.attribute, self._wrapped)


class MatcherSpy(_Spy):
    """Notes each image's match: object index of every anchor or RoI, -1 and -2 as torchvision's `Matcher`."""

    attribute = "proposal_matcher"

    def __call__(self, overlaps: Tensor) -> Tensor:
        """IoU [G, candidates] -> int64 [candidates]."""
        matches = self._wrapped(overlaps)
        forward = self._running()
        if forward is not None and self._prefix == "rpn":
            forward.rpn_matches.append(matches.detach())
            forward.rpn_overlaps.append(overlaps.detach().amax(dim=0))
        elif forward is not None:
            forward.roi_matches.append(matches.detach())
        return matches


class SamplerSpy(_Spy):
    """Notes the labels that went into a sampler and the masks it drew."""

    attribute = "fg_bg_sampler"

    def __call__(self, labels: list[Tensor], *args: Any) -> tuple[list[Tensor], list[Tensor]]:
        """Labels per image -> masks of positives and negatives per image."""
        positives, negatives = self._wrapped(labels, *args)
        forward = self._running()
        if forward is not None:
            # The caller's list is reused and its entries replaced; the tensors themselves are not written to.
            setattr(
                forward, f"{self._prefix}_sample", SamplerCall(list(labels), list(positives), list(negatives))
            )
        return positives, negatives
