"""Receptive field and stride of the cells of a backbone's maps: which input pixels each cell was made of.

Found exactly and without gradients: the backbone runs once on tensors without data, and the arithmetic of every
operator that it calls is followed in the order of execution (`footprints`), so that residual branches, dilation,
padding, pooling and the top-down path of a feature pyramid count as they are. The field is the hull of all pixels
that can have any influence: what a cell really attends to is usually smaller (Luo et al. 2016, *Understanding the
Effective Receptive Field*).

Shapes: (h', w') of the padded network input; (h, w) cells of a map. Boxes are xyxy in the **network** frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from detector.tracing.footprints import FootprintMode
from detector.tracing.looking import looking

if TYPE_CHECKING:
    from detector.models.detector import TwoStageModel
    from detector.tracing.footprint_rules import Footprint


@dataclass(frozen=True, slots=True, eq=False)
class FieldMap:
    """The receptive fields of all cells of one map.

    Args:
        rows: int64 [h, 2], first and last input row that each row of cells reads; first > last for none.
        columns: int64 [w, 2], the same along x.
        input_size: (h', w').
        gated: averages over the whole map (squeeze-and-excitation, group normalisation) reach every cell as
            well; the fields leave that out.
        unknown: operators that could not be followed; the fields are upper bounds then.
    """

    rows: Tensor
    columns: Tensor
    input_size: tuple[int, int]
    gated: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def stride(self) -> tuple[float, float]:
        """Distance of neighbouring cells along y and x, px, network frame: input size over number of cells."""
        return self.input_size[0] / len(self.rows), self.input_size[1] / len(self.columns)

    def box(self, y: int, x: int) -> Tensor:
        """The field of one cell, float [4], xyxy; all zeros where the cell reads nothing but padding.

        Raises:
            IndexError: no such cell.
        """
        top, bottom = self.rows[y].tolist()
        left, right = self.columns[x].tolist()
        if top > bottom or left > right:
            return torch.zeros(4)
        return torch.tensor([left, top, right + 1, bottom + 1], dtype=torch.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ReceptiveFields:
    """The fields of every map of a backbone, under the names that a trace gives the maps.

    Args:
        body: of the maps of its body; empty where the model has no such part.
        pyramid: of the maps that the RPN slides over.
    """

    body: Mapping[str, FieldMap]
    pyramid: Mapping[str, FieldMap]


def receptive_fields(model: TwoStageModel, input_size: tuple[int, int]) -> ReceptiveFields:
    """The receptive fields of a detector's backbone for a padded input of (h', w').

    The model is left as it was, and its weights are not read.

    Raises:
        ValueError: the backbone decides by the values that flow through it, which are not there.
    """
    with looking(model):
        body = getattr(model.backbone, "body", None)
        found = _fields(body, input_size) if isinstance(body, nn.Module) else {}
        return ReceptiveFields(found, _fields(model.backbone, input_size))


def _fields(module: nn.Module, input_size: tuple[int, int]) -> dict[str, FieldMap]:
    source = torch.empty((1, 3, *input_size), device="meta")
    mode = FootprintMode(source)
    try:
        with mode:
            output: Any = module(source)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f"the receptive field cannot be followed: {type(module).__name__} needs values to run ({error})"
        ) from error
    maps = {"0": output} if isinstance(output, Tensor) else output
    return {
        str(name): _field_map(mode.footprint(value), (value.shape[-2], value.shape[-1]), input_size)
        for name, value in maps.items()
    }


def _field_map(footprint: Footprint | None, size: tuple[int, int], input_size: tuple[int, int]) -> FieldMap:
    if footprint is None:  # a map that does not depend on the image
        nothing = torch.tensor([[1, 0]])
        return FieldMap(nothing.expand(size[0], 2), nothing.expand(size[1], 2), input_size)
    full = footprint.over(*size)
    return FieldMap(full.rows, full.columns, input_size, full.gated, tuple(sorted(full.unknown)))
