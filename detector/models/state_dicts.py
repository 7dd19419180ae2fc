"""State dicts as people save them: wrapper prefixes, names of older torchvision versions, wrong contents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_PARTS = re.compile(r"^(?P<prefix>(?:[^.]+\.)*?)(?P<name>(?:backbone|rpn|roi_heads)\..+)$")
_WRAPPERS = re.compile(r"(?<![^.])(?:module|_orig_mod)\.")
# What torchvision 0.13 renamed; its own upgrade needs a version number that not every file keeps.
_RENAMED = (
    (re.compile(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$"), r"\1.0.\2"),
    (re.compile(r"^(rpn\.head\.conv)\.(weight|bias)$"), r"\1.0.0.\2"),
)
_OLD_MASK_LAYER = re.compile(r"^(roi_heads\.mask_head)\.mask_fcn(\d+)\.(weight|bias)$")
_AVERAGED = {"ema", "model_ema", "ema_model"}
_COUNTER = ".num_batches_tracked"


@dataclass(frozen=True, slots=True)
class CleanState:
    """The tensors of one detector, by the names that current torchvision uses.

    Args:
        tensors: by name, such as `backbone.body.conv1.weight`.
        prefix: what stood before every name (`module.`, `model._orig_mod.`); empty for a bare state dict.
        left_out: names of tensors beside the detector (a second copy, a loss of a Lightning module).
    """

    tensors: Mapping[str, Tensor]
    prefix: str
    left_out: tuple[str, ...]


def clean_state(state: Mapping[str, object]) -> CleanState:
    """Find the detector in a state dict and give its tensors their current names.

    Raises:
        ValueError: no two-stage detector in it, several of equal right, two tensors of one name, or a value
            that is not a tensor. The sentence goes on from the name of the file.
    """
    groups = _group_by_prefix(state)
    prefix = _choose_prefix(groups, state)
    tensors: dict[str, Tensor] = {}
    for name, original in groups[prefix].items():
        value = state[original]
        if not isinstance(value, Tensor):
            raise ValueError(
                f"{original!r} is a {type(value).__name__}, not a tensor; save model.state_dict()"
            )
        tensors[name] = value
    ours = set(groups[prefix].values())
    return CleanState(tensors, prefix, tuple(name for name in state if name not in ours))


def _group_by_prefix(state: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """Prefix -> current name -> name in the file; a name of no detector joins the longest prefix it has."""
    matches = {original: _PARTS.match(original) for original in state}
    prefixes = sorted({match["prefix"] for match in matches.values() if match} | {""}, key=len, reverse=True)
    groups: dict[str, dict[str, str]] = {prefix: {} for prefix in prefixes}
    for original, match in matches.items():
        prefix = match["prefix"] if match else next(p for p in prefixes if original.startswith(p))
        name = current_name(_WRAPPERS.sub("", original.removeprefix(prefix)))
        if name in groups[prefix]:
            raise ValueError(f"{groups[prefix][name]!r} and {original!r} are the same tensor of a detector")
        groups[prefix][name] = original
    return groups


def _choose_prefix(groups: Mapping[str, Mapping[str, str]], state: Mapping[str, object]) -> str:
    whole = [prefix for prefix, group in groups.items() if _has_both_stages(group)]
    if not whole:
        first = next(iter(state), None)
        raise ValueError(
            "it holds no tensor at all"
            if first is None
            else "its tensors are not those of a two-stage detector (expected backbone., rpn., roi_heads.; "
            f"the first is {first!r}{_other_kind(state)})"
        )
    plain = [prefix for prefix in whole if not _AVERAGED & set(prefix.split("."))] or whole
    if len(plain) > 1:
        raise ValueError(f"it holds {len(plain)} detectors, under {sorted(plain)}; save the one you mean")
    return plain[0]


def _has_both_stages(names: Iterable[str]) -> bool:
    return {"rpn", "roi_heads"} <= {name.split(".")[0] for name in names}


def _other_kind(state: Mapping[str, object]) -> str:
    parts = {part for name in state for part in name.split(".")[:-1]}
    return "; it looks like a classification model" if parts & {"fc", "classifier"} else ""


def current_name(name: str) -> str:
    """The name that torchvision 0.13 and later give to a tensor."""
    for pattern, replacement in _RENAMED:
        name = pattern.sub(replacement, name)
    old = _OLD_MASK_LAYER.match(name)
    return f"{old[1]}.{int(old[2]) - 1}.0.{old[3]}" if old else name


def check_fit(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    """Refuse tensors that would not fill a model completely and exactly.

    Args:
        tensors: by name.
        expected: the model's own state dict; only names, types and shapes are read.
        what: the architecture, for the sentence.

    Raises:
        ValueError: a tensor is missing, left over, of another shape, or not of floating point.
    """
    _refuse(
        [name for name in expected if name not in tensors and not name.endswith(_COUNTER)],
        "missing for",
        what,
    )
    _refuse([name for name in tensors if name not in expected], "too many for", what)
    wrong = [name for name, tensor in tensors.items() if tensor.shape != expected[name].shape]
    if wrong:
        got, want = list(tensors[wrong[0]].shape), list(expected[wrong[0]].shape)
        _refuse(wrong, "of the wrong shape for", what, f" ({got}, expected {want})")
    _refuse(
        [
            name
            for name, tensor in tensors.items()
            if tensor.is_floating_point() != expected[name].is_floating_point()
        ],
        "of the wrong type for",
        what,
    )


def check_stored(tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose values are not all in the file, one by one.

    Raises:
        ValueError: a tensor without values (of the meta device), a sparse one, or one that claims more values
            than its storage holds; so a small file cannot fill the memory.
    """
    bad = [name for name, tensor in tensors.items() if not _is_stored(tensor)]
    if bad:
        raise ValueError(
            f"{bad[0]!r} is not stored value by value (it is sparse, repeated or empty); save a plain "
            "model.state_dict()"
        )


def _is_stored(tensor: Tensor) -> bool:
    if tensor.is_meta or tensor.layout is not torch.strided:
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights with NaN or infinite values.

    Raises:
        ValueError: naming the first tensor and how many there are.
    """
    # One NaN or infinity spoils a sum, and a sum is quickly made; only a spoilt one is looked into.
    suspects = [name for name, tensor in tensors.items() if not torch.isfinite(tensor.sum())]
    bad = [name for name in suspects if not torch.isfinite(tensors[name]).all()]
    if bad:
        raise ValueError(
            f"{_count(bad)} NaN or infinite values; the first is {bad[0]!r} (its training diverged)"
        )


def _refuse(names: list[str], how: str, what: str, detail: str = "") -> None:
    if names:
        verb = "is" if len(names) == 1 else "are"
        count = f"{len(names)} tensor{'s' * (len(names) > 1)} {verb}"
        raise ValueError(f"{count} {how} {what}; the first is {names[0]!r}{detail}")


def _count(names: list[str]) -> str:
    return "1 tensor holds" if len(names) == 1 else f"{len(names)} tensors hold"
