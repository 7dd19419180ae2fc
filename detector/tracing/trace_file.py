"""A trace as one file that opens anywhere, without the model's code and without unpickling.

Tensors lie under the path of their field (`rpn.anchors`, `backbone.pyramid/0`); all else is one JSON document.
Feature maps and pooled features are stored in half precision, or left out; everything that replays is exact.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from detector.data.ground_truth import GroundTruth
from detector.data.plain_file import read_plain
from detector.data.sealed import KIND_KEY, Sealed, read_sealed, write_sealed
from detector.tracing.assemble import non_finite_stages
from detector.tracing.samples import AnchorSamples, Losses, RoiSamples, TrainingView
from detector.tracing.thresholds import Thresholds
from detector.tracing.trace import (
    BackboneStage,
    Detections,
    FilterRules,
    HeadStage,
    InputStage,
    RpnStage,
    Trace,
)
from detector.tracing.trace_checks import check_parts

_KIND = "trace"
_DOCUMENT = "trace"
MAX_BYTES = 2_000_000_000
"""Of a file; a photo of 12 megapixels with feature maps has a few hundred million, unless it holds many masks."""
_ROOM = 10_000_000  # for the header, whose ledger of names is far smaller
_SMALLER = "save it without feature maps (features=False, `--no_features`), or of a smaller image"
_HALF_MAX = 65504.0
_RECORDS = (
    InputStage, BackboneStage, RpnStage, HeadStage, Detections, Thresholds, FilterRules, GroundTruth,
    TrainingView, AnchorSamples, RoiSamples, Losses,
)  # fmt: skip
_NAMED = {record.__name__: record for record in _RECORDS}


def save_trace(trace: Trace, path: str | Path, *, features: bool = True) -> None:
    """Write `trace` to one file, complete or not at all.

    Args:
        trace: what to write.
        path: the file; its folder must exist.
        features: keep feature maps and pooled features, in half precision; without them the file is small.

    Raises:
        ValueError: the folder does not exist, or the file would be too large for `load_trace`.
        OSError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    document = _pack(_reduced(trace, features=features), "", tensors)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > MAX_BYTES - _ROOM:
        raise ValueError(f"{path}: the trace would have {size / 10**9:.1f} GB, over 2 GB; {_SMALLER}")
    write_sealed(Path(path), _KIND, tensors, {_DOCUMENT: json.dumps(document)})


def load_trace(path: str | Path) -> Trace:
    """Read a trace; the model is not needed, and nothing that the file holds is run.

    Raises:
        ValueError: no such file, not a trace, over 2 GB, damaged, changed, or of another version; names the file.
    """
    try:
        data = read_plain(Path(path), at_most=MAX_BYTES, remedy=_SMALLER)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return parse_trace(data, str(path))


def parse_trace(data: bytes, name: str) -> Trace:
    """The trace that the bytes of a file hold; as `load_trace`, `name` being the file's for the sentence."""
    try:
        return _trace_of(read_sealed(data))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _trace_of(sealed: Sealed) -> Trace:
    kind = sealed.entries.get(KIND_KEY)
    if kind != _KIND:
        raise ValueError(f"it is not a trace but {f'a {kind}' if kind else 'a foreign safetensors file'}")
    try:
        fields = {
            name: _unpack(value, sealed.tensors)
            for name, value in json.loads(sealed.entries[_DOCUMENT]).items()
        }
        trace = Trace(**fields)
        check_parts(trace)
        # What was left out of the file was looked at when it was written; what lies in it is looked at now.
        broken = dict.fromkeys((*trace.non_finite, *non_finite_stages(trace)))
        return dataclasses.replace(trace, non_finite=tuple(broken))
    except ValueError:
        raise
    except Exception as error:  # a record built of the wrong things fails in many ways
        raise ValueError(
            f"the trace lacks something or holds too much ({' '.join(str(error).split())})"
        ) from error


def _reduced(trace: Trace, *, features: bool) -> Trace:
    def maps(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: _halve(value) for name, value in values.items()} if features else {}

    backbone = BackboneStage(maps(trace.backbone.body), maps(trace.backbone.pyramid), exact=False)
    pooled = trace.head.features
    head = dataclasses.replace(
        trace.head, features=_halve(pooled) if features and pooled is not None else None
    )
    return dataclasses.replace(trace, backbone=backbone, head=head)


def _halve(value: Tensor) -> Tensor:
    fits = value.numel() == 0 or float(value.abs().max()) <= _HALF_MAX
    return value.half() if fits else value


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401 - any field of any record
    """A value as JSON; tensors go into `tensors` under the path of their field."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        packed = {key: _pack(item, f"{name}.{key}".lstrip("."), tensors) for key, item in fields.items()}
        return packed if isinstance(value, Trace) else {"record": type(value).__name__, "fields": packed}
    if isinstance(value, Mapping):
        return {"maps": {key: _pack(item, f"{name}/{key}", tensors) for key, item in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": [_pack(item, name, tensors) for item in value]}
    return value


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:  # noqa: ANN401
    """The inverse of `_pack`; half precision comes back as float32, so that everything computes with it."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        tensor = tensors[value["tensor"]]
        return tensor.float() if tensor.dtype == torch.float16 else tensor
    if "record" in value:
        fields = {name: _unpack(item, tensors) for name, item in value["fields"].items()}
        return _NAMED[value["record"]](**fields)
    if "maps" in value:
        return {name: _unpack(item, tensors) for name, item in value["maps"].items()}
    return tuple(_unpack(item, tensors) for item in value["tuple"])
