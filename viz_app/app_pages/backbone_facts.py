"""What is worked out once for a model and serves every image and every session, as long as the model lives."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from detector.models.weight_statistics import WeightStatistics, weight_statistics
from detector.tracing.receptive_field import ReceptiveFields, receptive_fields

if TYPE_CHECKING:
    from torch import nn

    from detector.models.detector import TwoStageModel

_MOST_SIZES = 8
_FIELDS: WeakKeyDictionary[nn.Module, dict[tuple[int, int], ReceptiveFields]] = WeakKeyDictionary()
_WEIGHTS: WeakKeyDictionary[nn.Module, list[WeightStatistics]] = WeakKeyDictionary()


def fields_of(model: TwoStageModel, input_size: tuple[int, int]) -> ReceptiveFields:
    """`receptive_fields`, kept for a few input sizes."""
    known = _FIELDS.setdefault(model, {})
    if input_size not in known:
        if len(known) >= _MOST_SIZES:
            known.clear()
        known[input_size] = receptive_fields(model, input_size)
    return known[input_size]


def weights_of(model: TwoStageModel) -> list[WeightStatistics]:
    """`weight_statistics`; weights do not change while a model is looked at."""
    if model not in _WEIGHTS:
        _WEIGHTS[model] = weight_statistics(model)
    return _WEIGHTS[model]
