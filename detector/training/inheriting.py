"""What a model that is built anew takes over from the one it comes from: tensor by tensor, category by category.

Shapes: `K` categories with background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from detector.models.detector import Detector

_PREDICTOR = "roi_heads.box_predictor."
_BY_CATEGORY = (
    f"{_PREDICTOR}cls_score.",
    f"{_PREDICTOR}bbox_pred.",
    "roi_heads.mask_predictor.mask_fcn_logits.",
)
_PARTS = {
    "rpn.head.": "the RPN's outputs",
    f"{_PREDICTOR}cls_score.": "the class scores",
    f"{_PREDICTOR}bbox_pred.": "the box deltas",
    "roi_heads.mask_predictor.": "the masks of each category",
    "roi_heads.box_head.": "the head's hidden layers",
    "backbone.fpn.": "the feature pyramid",
    "backbone.body.": "the backbone",
}


def inherited(
    source: Detector, expected: Mapping[str, Tensor], categories: Sequence[str]
) -> dict[str, Tensor]:
    """The tensors of `source` that fit a model for other categories, by name.

    Args:
        source: what it comes from.
        expected: the state dict of the new model.
        categories: its K names. Where `source` knows every one, each keeps its own rows; else tensors that depend
            on the category are left out.
    """
    rows = _rows(source.categories, categories)
    taken = {}
    for name, tensor in source.model.state_dict().items():
        if name.startswith(_BY_CATEGORY) and not _agnostic(name, tensor):
            if rows is None:
                continue
            tensor = _chosen(tensor, rows, source.num_classes)
        if name in expected and tensor.shape == expected[name].shape:
            taken[name] = tensor
    return taken


def _agnostic(name: str, tensor: Tensor) -> bool:
    """Whether these are box deltas that all categories share."""
    return name.startswith(f"{_PREDICTOR}bbox_pred.") and len(tensor) == 4


def _rows(known: Sequence[str], wanted: Sequence[str]) -> list[int] | None:
    """Where each category is among those known; None where one is new. The background is always the first."""
    places = {name: index for index, name in reversed(list(enumerate(known))) if index > 0}
    if not all(name in places for name in wanted[1:]):
        return None
    return [0, *(places[name] for name in wanted[1:])]


def _chosen(tensor: Tensor, rows: list[int], classes: int) -> Tensor:
    """Rows [K', ...] of a tensor [K, ...], or of one with several rows for each category."""
    each = len(tensor) // classes
    return tensor.reshape(classes, each, *tensor.shape[1:])[rows].reshape(-1, *tensor.shape[1:])


def parts_of(names: Sequence[str]) -> tuple[str, ...]:
    """The parts of a detector that these tensors belong to, in words."""
    words = [next((w for prefix, w in _PARTS.items() if name.startswith(prefix)), name) for name in names]
    return tuple(dict.fromkeys(words))
