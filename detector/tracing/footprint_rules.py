"""How each operator of a backbone moves places: which inputs a row and a column of its output were made of.

Shapes: (h, w) of a tensor [..., h, w]; spans are int64 [n, 2], the first and last input pixel along one axis,
both included; first > last where nothing but padding was read. Rows and columns are followed apart: all
operators with a rule read rectangles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch._ops import OpOverload

_NOWHERE = torch.iinfo(torch.int64).max
_aten = torch.ops.aten


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """Input pixels behind each row and each column of a tensor; a cell reads the rectangle of its row and column.

    Args:
        rows: spans [h, 2] of input rows, or [1, 2] where every row has the same.
        columns: spans [w, 2] of input columns, or [1, 2].
        gated: values are also scaled or shifted by something made of the whole tensor at once, such as the
            mean in squeeze-and-excitation or in group normalisation; the spans leave that out.
        unknown: names of operators that could not be followed; the spans then cover all that these read.
    """

    rows: Tensor
    columns: Tensor
    gated: bool = False
    unknown: frozenset[str] = frozenset()

    @classmethod
    def of_input(cls, height: int, width: int) -> Footprint:
        """Every pixel is made of itself."""
        rows, columns = (torch.arange(side)[:, None].repeat(1, 2) for side in (height, width))
        return cls(rows, columns)

    def over(self, height: int, width: int) -> Footprint:
        """The same with a span of its own for every row and column."""
        return replace(self, rows=self.rows.expand(height, 2), columns=self.columns.expand(width, 2))


Shape = tuple[int, ...]
Call = dict[str, Any]
Tracked = list[tuple[Shape, Footprint]]
Rule = Callable[[Call, Tracked, Shape], Footprint | None]


def follow(
    func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], tracked: Tracked, shape: Shape
) -> Footprint:
    """The footprint of an output of `shape`; all that the inputs read where no rule fits.

    Args:
        func: the operator.
        args, kwargs: what it was called with.
        tracked: shape and footprint of those of its inputs that depend on the image.
        shape: of the output.
    """
    rule = _RULES.get(func.overloadpacket)
    if rule is None and torch.Tag.pointwise in func.tags:
        rule = _same_place
    found = None if rule is None or len(shape) < 2 else rule(_named(func, args, kwargs), tracked, shape)
    return _everything(tracked, str(func)) if found is None else found


def _named(func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """All arguments by name, defaults included."""
    named = {}
    for place, argument in enumerate(func._schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        named[argument.name] = args[place] if place < len(args) else kwargs.get(argument.name, default)
    return named


def _same_place(_call: Call, tracked: Tracked, shape: Shape) -> Footprint | None:
    """Each value from those at its own place; one value for all places is a gate."""
    parts, gates = [], False
    for size, footprint in tracked:
        if size[-2:] == shape[-2:]:
            parts.append(footprint.over(*shape[-2:]))
        elif size[-2:] == (1, 1):
            gates = True
        else:
            return None
    if not parts:
        return None
    found = _union(parts)
    return replace(found, gated=found.gated or gates)


def _normalised(call: Call, tracked: Tracked, shape: Shape) -> Footprint | None:
    """Group and instance normalisation: its own place, and the statistics of the whole."""
    found = _same_place(call, tracked, shape)
    return None if found is None else replace(found, gated=True)


def _convolution(call: Call, tracked: Tracked, shape: Shape) -> Footprint | None:
    if call["transposed"] or call["weight"].ndim != 4:
        return None
    return _slide(tracked, shape, call["weight"].shape[-2:], call["stride"], call)


def _pool(call: Call, tracked: Tracked, shape: Shape) -> Footprint | None:
    return _slide(tracked, shape, call["kernel_size"], call["stride"] or call["kernel_size"], call)


def _slide(
    tracked: Tracked, shape: Shape, kernel: Sequence[int], stride: Sequence[int], call: Call
) -> Footprint | None:
    """A window slides over the one tracked input."""
    if len(tracked) != 1:
        return None
    size, footprint = tracked[0]
    whole = footprint.over(*size[-2:])
    rows, columns = (
        _windows(spans, count, *setting)
        for spans, count, *setting in zip(
            (whole.rows, whole.columns), shape[-2:], _pair(kernel), _pair(stride), _pair(call["padding"]),
            _pair(call.get("dilation", 1)), strict=True,
        )
    )  # fmt: skip
    return replace(whole, rows=rows, columns=columns)


def _windows(spans: Tensor, count: int, kernel: int, stride: int, padding: int, dilation: int) -> Tensor:
    """Spans [count, 2] of windows that slide over `spans`."""
    starts = torch.arange(count) * stride - padding
    return _gather(spans, starts[:, None] + torch.arange(kernel) * dilation)


def _gather(spans: Tensor, taps: Tensor) -> Tensor:
    """Spans [o, 2] of what the places `taps`, int64 [o, k], of `spans` cover; places outside read padding."""
    inside = (taps >= 0) & (taps < len(spans))
    read = spans[taps.clamp(0, len(spans) - 1)]
    first = torch.where(inside, read[..., 0], _NOWHERE).amin(dim=1)
    last = torch.where(inside, read[..., 1], -1).amax(dim=1)
    return torch.stack((first, last), dim=1)


def _nearest(_call: Call, tracked: Tracked, shape: Shape) -> Footprint:
    size, footprint = tracked[0]
    whole = footprint.over(*size[-2:])
    # As torch: the floor of the place times the ratio of the sizes.
    rows, columns = (torch.arange(new) * old // new for old, new in zip(size[-2:], shape[-2:], strict=True))
    return replace(whole, rows=whole.rows[rows], columns=whole.columns[columns])


def _bilinear(call: Call, tracked: Tracked, shape: Shape) -> Footprint | None:
    if call["align_corners"]:
        return None
    size, footprint = tracked[0]
    whole = footprint.over(*size[-2:])
    spans = []
    for old, new, part in zip(size[-2:], shape[-2:], (whole.rows, whole.columns), strict=True):
        place = ((torch.arange(new) + 0.5) * old / new - 0.5).clamp(min=0)
        low = place.floor().long()
        spans.append(_gather(part, torch.stack((low, torch.where(place > low, low + 1, low)), dim=1)))
    return replace(whole, rows=spans[0], columns=spans[1])


def _padded(call: Call, tracked: Tracked, shape: Shape) -> Footprint:
    size, footprint = tracked[0]
    left, _, top, _ = (*call["pad"], 0, 0)[:4]
    whole = footprint.over(*size[-2:])
    rows = _windows(whole.rows, shape[-2], 1, 1, top, 1)
    return replace(whole, rows=rows, columns=_windows(whole.columns, shape[-1], 1, 1, left, 1))


def _averaged(_call: Call, tracked: Tracked, shape: Shape) -> Footprint | None:
    """Over the channels, or over the whole map; averages over parts are not followed."""
    size, footprint = tracked[0]
    if shape[-2:] == size[-2:] and len(shape) > 2:
        return footprint
    whole = _everything(tracked, "")
    return replace(whole, unknown=footprint.unknown) if shape[-2:] == (1, 1) else None


def _rearranged(call: Call, tracked: Tracked, shape: Shape) -> Footprint | None:
    """Channels or batch taken apart or put together; the last two dimensions stay as they are."""
    same = all(size[-2:] == shape[-2:] for size, _ in tracked)
    return _same_place(call, tracked, shape) if same else None


def _transposed(call: Call, tracked: Tracked, shape: Shape) -> Footprint | None:
    size, footprint = tracked[0]
    last = max(call[name] % len(size) for name in ("dim0", "dim1"))
    return footprint if last < len(shape) - 2 else None


def _union(parts: Sequence[Footprint]) -> Footprint:
    sides = (torch.stack([part.rows for part in parts]), torch.stack([part.columns for part in parts]))
    rows, columns = (
        torch.stack((side[..., 0].amin(dim=0), side[..., 1].amax(dim=0)), dim=1) for side in sides
    )
    return Footprint(rows, columns, any(part.gated for part in parts), _unknown(parts))


def _everything(tracked: Tracked, name: str) -> Footprint:
    """All that any of the inputs was made of, for every value alike."""
    parts = [footprint for _, footprint in tracked]
    sides = (torch.cat([part.rows for part in parts]), torch.cat([part.columns for part in parts]))
    rows, columns = (torch.stack((side[:, 0].amin(), side[:, 1].amax()))[None] for side in sides)
    return Footprint(rows, columns, any(part.gated for part in parts), _unknown(parts) | {name})


def _unknown(parts: Sequence[Footprint]) -> frozenset[str]:
    return frozenset[str]().union(*(part.unknown for part in parts))


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return values[0], values[-1]


_RULES: dict[Any, Rule] = {
    _aten.convolution: _convolution,
    _aten.max_pool2d_with_indices: _pool,
    _aten.avg_pool2d: _pool,
    _aten.upsample_nearest2d: _nearest,
    _aten.upsample_bilinear2d: _bilinear,
    _aten.constant_pad_nd: _padded,
    _aten.mean: _averaged,
    _aten.amax: _averaged,
    _aten._adaptive_avg_pool2d: _averaged,
    _aten.native_group_norm: _normalised,
    _aten.transpose: _transposed,
    **dict.fromkeys(
        (_aten.cat, _aten.view, _aten._unsafe_view, _aten.slice, _aten.split, _aten.split_with_sizes),
        _rearranged,
    ),
    # Pointwise in eval mode, though torch does not tag them so.
    **dict.fromkeys(
        (
            _aten.native_batch_norm, _aten._native_batch_norm_legit_no_training, _aten.cudnn_batch_norm,
            _aten.hardswish, _aten.hardswish_, _aten.detach, _aten.alias, _aten.clone, _aten._to_copy,
        ),
        _same_place,
    ),
}  # fmt: skip
