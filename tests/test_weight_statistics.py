"""Numbers about weights against a slow count, and each alert on a model that deserves it."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from support.models import build_detector, shared_detector
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from detector import load_detector
from detector.models.weight_statistics import (
    EXPLODING,
    WeightAlert,
    WeightStatistics,
    find_tensor,
    weight_statistics,
)


def by_name(model: nn.Module) -> dict[str, WeightStatistics]:
    return {one.name: one for one in weight_statistics(model)}


@pytest.fixture(scope="module")
def bundled() -> nn.Module:
    return load_detector("shapes").model


def test_every_floating_point_tensor_is_there_once_in_order(bundled: nn.Module) -> None:
    found = weight_statistics(bundled)
    state = {name: value for name, value in bundled.state_dict().items() if value.is_floating_point()}
    assert {one.name: one.shape for one in found} == {name: tuple(v.shape) for name, v in state.items()}
    assert len(found) == len(state)
    assert sum(one.count for one in found if one.kind == "parameter") == sum(
        value.numel() for value in bundled.parameters()
    )
    assert all(torch.equal(find_tensor(bundled, name), value) for name, value in state.items())


def test_the_numbers_are_those_of_a_slow_count() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.BatchNorm2d(3))
    with torch.no_grad():
        model[0].weight[0, 0] = 0
    values = model[0].weight.flatten().tolist()
    one = by_name(model)["0.weight"]
    assert one.mean == pytest.approx(statistics.fmean(values))
    assert one.std == pytest.approx(statistics.pstdev(values))
    assert (one.low, one.high) == (min(values), max(values))
    assert one.largest == max(map(abs, values))
    assert one.zeros == pytest.approx(values.count(0) / len(values)) == pytest.approx(9 / 54)
    assert (one.module, one.kind, one.trainable, one.alert) == ("Conv2d", "parameter", True, None)
    assert by_name(model)["2.running_var"].kind == "buffer"


def test_a_healthy_detector_has_no_alert(bundled: nn.Module) -> None:
    assert {one.name: one.alert for one in weight_statistics(bundled) if one.alert} == {}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_counted_and_left_out(value: float) -> None:
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 3.0], [value, 5.0]]))
    one = by_name(layer)["weight"]
    assert (one.alert, one.non_finite, one.mean, one.low, one.high) == (WeightAlert.NON_FINITE, 1, 3, 1, 5)


def test_a_tensor_of_nothing_but_nan_has_no_numbers() -> None:
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, math.nan)
    one = by_name(layer)["weight"]
    assert one.alert is WeightAlert.NON_FINITE and one.non_finite == 4
    assert math.isnan(one.mean) and math.isnan(one.largest) and one.zeros == 0


def test_zero_weights_are_told_and_zero_biases_are_how_they_start() -> None:
    layer = nn.Linear(2, 2)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    found = by_name(layer)
    assert found["weight"].alert is WeightAlert.ALL_ZERO
    assert found["weight"].zeros == found["bias"].zeros == 1
    assert found["bias"].alert is None


def test_exploding_begins_at_the_bound_and_counts_for_the_weights_of_frozen_norms() -> None:
    layer, norm = nn.Linear(1, 2), FrozenBatchNorm2d(2)
    with torch.no_grad():
        layer.weight[0, 0] = -EXPLODING
        layer.bias[0] = EXPLODING * 0.999
        norm.weight[1] = EXPLODING
        norm.running_mean[1] = norm.running_var[1] = EXPLODING * 10
    assert by_name(layer)["weight"].alert is WeightAlert.EXPLODING
    assert by_name(layer)["bias"].alert is None
    found = by_name(norm)
    assert found["weight"].alert is WeightAlert.EXPLODING
    # What flows in may be large; only parameters explode.
    assert found["running_mean"].alert is found["running_var"].alert is None


def test_a_variance_under_zero_is_told() -> None:
    norm = nn.BatchNorm2d(2)
    norm.running_var[0] = -1e-3  # type: ignore[index]
    assert by_name(norm)["running_var"].alert is WeightAlert.NEGATIVE_VARIANCE


def test_frozen_parameters_are_not_trainable() -> None:
    model = build_detector("pyramid_per_class").model
    model.backbone.body.requires_grad_(False)
    found = by_name(model)
    assert not found["backbone.body.conv1.weight"].trainable
    assert found["rpn.head.cls_logits.weight"].trainable


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError, match=r"no\.such"):
        find_tensor(shared_detector("pyramid_per_class").model, "no.such")
