"""The record of a detector that is looked at: a model, its categories, and where both came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn
    from torchvision.models.detection.roi_heads import RoIHeads
    from torchvision.models.detection.rpn import RegionProposalNetwork

    class TwoStageModel(GeneralizedRCNN):
        """What a type checker must know of a `GeneralizedRCNN`; at run time it is that class."""

        rpn: RegionProposalNetwork
        roi_heads: RoIHeads
else:
    TwoStageModel = GeneralizedRCNN

_LOCKS: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
_LOCKS_GUARD = RLock()


def lock_of(model: nn.Module) -> Any:  # noqa: ANN401 - `RLock` is a function, its type has no name
    """The one lock of `model`: two threads that capture from one model would mix their tensors."""
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(model, RLock())


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A two-stage detector with the names of what it detects.

    Args:
        model: any torchvision `GeneralizedRCNN` (Faster, Mask or Keypoint R-CNN, or a subclass).
        categories: K names, index 0 is background.
        name: short name for people, such as `shapes` or `fasterrcnn_resnet50_fpn`.
        notes: what was inferred or deserves a warning when the detector was loaded, a sentence each.
        metadata: what the file said of itself (recipe, seed, measured metrics); empty for a bare model.
    """

    model: TwoStageModel
    categories: tuple[str, ...]
    name: str = "detector"
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not isinstance(self.model, GeneralizedRCNN):
            raise TypeError(
                f"the model is a {type(self.model).__name__}; expected a torchvision GeneralizedRCNN "
                "(Faster, Mask or Keypoint R-CNN)"
            )
        classes = self.model.roi_heads.box_predictor.cls_score.out_features
        if len(self.categories) != classes:
            raise ValueError(
                f"{len(self.categories)} category names for a model with {classes} class scores; "
                "give one name for each, index 0 being the background"
            )

    @classmethod
    def wrap(
        cls, model: GeneralizedRCNN, categories: Sequence[str] | None = None, *, name: str = ""
    ) -> Detector:
        """A detector around a model of the caller's own; the model is not copied and not changed.

        Args:
            model: a torchvision `GeneralizedRCNN`.
            categories: K names with the background at index 0, or K-1 names without it;
                numbered names when left out.
            name: a name for people; the class name when left out.

        Raises:
            TypeError: not a `GeneralizedRCNN`.
            ValueError: a number of names that does not fit the model's class scores.
        """
        return cls(
            cast(TwoStageModel, model), _full_categories(model, categories), name or type(model).__name__
        )

    @property
    def num_classes(self) -> int:
        """K, the number of categories with the background."""
        return len(self.categories)

    @property
    def lock(self) -> Any:  # noqa: ANN401
        """Hold this while running the model; see `lock_of`."""
        return lock_of(self.model)


def _full_categories(model: GeneralizedRCNN, categories: Sequence[str] | None) -> tuple[str, ...]:
    predictor = getattr(getattr(model, "roi_heads", None), "box_predictor", None)
    classes = getattr(getattr(predictor, "cls_score", None), "out_features", 0)
    if categories is None:
        return ("background", *(f"category {index}" for index in range(1, classes)))
    if len(categories) == classes - 1:
        return ("background", *categories)
    return tuple(categories)
