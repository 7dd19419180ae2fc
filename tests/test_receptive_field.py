"""Receptive fields against gradients: a pixel is in the field if, and only if, the cell's value moves with it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.models import random_image, shared_detector, single_map_detector
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.misc import SqueezeExcitation

from detector import capture
from detector.tracing.receptive_field import FieldMap, receptive_fields


def slow_field(module: nn.Module, size: tuple[int, int], name: str, y: int, x: int) -> list[float]:
    """The hull of all pixels with a gradient. Weights are made positive, so that nothing cancels, and a maximum
    becomes a mean, which passes a gradient to its whole window."""
    image = torch.rand((1, 3, *size), dtype=torch.float64, requires_grad=True)
    maps = positive(module)(image)
    value = maps if isinstance(maps, Tensor) else maps[name]
    value[..., y, x].sum().backward()
    assert image.grad is not None
    touched = image.grad.abs().sum(dim=(0, 1)) > 0
    if not touched.any():
        return [0.0, 0.0, 0.0, 0.0]
    ys, xs = torch.where(touched)
    return [float(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)]


def positive(module: nn.Module) -> nn.Module:
    twin = copy.deepcopy(module).double().eval()
    for parent in list(twin.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(parent, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
            if isinstance(child, FrozenBatchNorm2d | nn.BatchNorm2d):
                setattr(parent, name, nn.Identity())
    with torch.no_grad():
        for weight in twin.parameters():
            weight.copy_(torch.rand_like(weight) + 0.5)
    return twin


def fields_of(backbone: nn.Module, size: tuple[int, int]) -> dict[str, FieldMap]:
    """Through a whole detector, as the app asks."""
    model: Any = FasterRCNN(copy_with_channels(backbone), num_classes=2, min_size=32, max_size=64)
    return dict(receptive_fields(model.eval(), size).pyramid)


def copy_with_channels(backbone: nn.Module) -> nn.Module:
    backbone.out_channels = 4
    return backbone


class Branches(nn.Module):
    """A random stem, a residual branch of another reach, a coarse path that comes back up, all functional."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)

        def pick(*values: int) -> int:
            return values[int(torch.randint(len(values), (), generator=draw))]

        kernel, dilation = pick(1, 2, 3, 5), pick(1, 2, 3)
        self.stem = nn.Conv2d(3, 4, kernel, pick(1, 2), pick(0, 1, 3), dilation)
        self.pool = nn.MaxPool2d(pick(2, 3), pick(1, 2), 1)
        self.near = nn.Conv2d(4, 4, 1)
        self.far = nn.Conv2d(4, 4, (3, 5), padding=(2, 4), dilation=2, groups=2)
        self.down = nn.Conv2d(4, 4, 3, pick(2, 3), 1)
        self.mode = ("nearest", "bilinear")[pick(0, 1)]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        fine = self.pool(F.relu(self.stem(F.pad(image, (0, 3, 2, 1)))))
        fine = F.hardswish(self.near(fine)) + self.far(fine)
        coarse = self.down(fine)
        up = F.interpolate(coarse, size=fine.shape[-2:], mode=self.mode)
        both = torch.cat((up, fine[:, :2]), dim=1)
        averaged = F.avg_pool2d(both, 3, 2, 1)
        return {"fine": fine, "coarse": coarse, "both": both, "averaged": averaged}


@pytest.mark.parametrize("seed", range(8))
def test_fields_are_what_gradients_reach_in_any_body(seed: int) -> None:
    size = (23, 31)
    body = Branches(seed)
    found = fields_of(body, size)
    assert set(found) == {"fine", "coarse", "both", "averaged"}
    for name, field in found.items():
        assert not field.unknown and not field.gated
        height, width = len(field.rows), len(field.columns)
        # The corners, where padding cuts the field, and the middle.
        for y, x in {(0, 0), (height - 1, width - 1), (height // 2, width // 3), (0, width - 1)}:
            assert field.box(y, x).tolist() == slow_field(body, size, name, y, x), (name, y, x)


def test_fields_of_a_residual_body_and_its_pyramid() -> None:
    model = shared_detector("pyramid_per_class").model
    size = (96, 64)
    fields = receptive_fields(model, size)
    for module, maps in ((model.backbone.body, fields.body), (model.backbone, fields.pyramid)):
        for name, field in maps.items():
            for y, x in ((0, 0), (len(field.rows) // 2, len(field.columns) - 1)):
                assert field.box(y, x).tolist() == slow_field(module, size, name, y, x)
    # Conv 7/2, pool 3/2, two 3 x 3 convolutions at stride 4: the inside of C2 looks at 27 px.
    x1, y1, x2, y2 = fields.body["0"].box(12, 8).tolist()
    assert (x2 - x1, y2 - y1) == (27, 27)


@pytest.mark.parametrize("name", ["pyramid_best_class", "fasterrcnn_resnet50_fpn", "single map"])
def test_there_is_a_field_for_every_map_of_a_trace(name: str) -> None:
    detector = single_map_detector() if name == "single map" else shared_detector(name)
    trace = capture(detector, random_image())
    height, width = trace.input.tensor.shape[-2:]
    fields = receptive_fields(detector.model, (height, width))
    for maps, found in ((trace.backbone.body, fields.body), (trace.backbone.pyramid, fields.pyramid)):
        assert {key: value.shape[-2:] for key, value in maps.items()} == {
            key: (len(field.rows), len(field.columns)) for key, field in found.items()
        }
        for key, value in maps.items():
            assert found[key].stride == (height / value.shape[-2], width / value.shape[-1])


class Gated(nn.Module):
    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 3, 2, 1), gate

    def forward(self, image: Tensor) -> Tensor:
        return self.gate(self.conv(image))


@pytest.mark.parametrize("gate", [SqueezeExcitation(4, 2), nn.GroupNorm(2, 4)], ids=["squeeze", "group norm"])
def test_a_gate_is_named_and_left_out_of_the_field(gate: nn.Module) -> None:
    size = (24, 24)
    field = fields_of(Gated(gate), size)["0"]
    assert field.gated and not field.unknown
    assert field.box(5, 5).tolist() == fields_of(Gated(nn.Identity()), size)["0"].box(5, 5).tolist()
    assert not fields_of(Gated(nn.Identity()), size)["0"].gated


class Flipped(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.flip(F.max_pool2d(image, 2), dims=(-1,))


def test_what_cannot_be_followed_is_an_upper_bound_and_says_so() -> None:
    field = fields_of(Flipped(), (16, 24))["0"]
    assert field.unknown == ("aten.flip.default",)
    assert field.box(0, 0).tolist() == [0, 0, 24, 16]


def test_a_cell_that_reads_only_padding_has_no_field() -> None:
    field = fields_of(nn.Conv2d(3, 4, 1, padding=3), (8, 8))["0"]
    assert field.box(0, 0).tolist() == [0, 0, 0, 0]
    assert field.box(3, 4).tolist() == [1, 0, 2, 1]


class Undecided(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image if float(image.mean()) > 0 else -image


def test_a_backbone_that_looks_at_values_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="Undecided needs values") as caught:
        fields_of(Undecided(), (8, 8))
    assert "\n" not in str(caught.value)


def test_the_model_is_left_as_it_was() -> None:
    model = copy.deepcopy(shared_detector("pyramid_per_class").model).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.random.get_rng_state()
    receptive_fields(model, (64, 64))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(not value.is_meta for value in model.state_dict().values())
    assert torch.equal(random, torch.random.get_rng_state())
