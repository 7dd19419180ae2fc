"""What a training script said of a model beside its weights.

torchvision's detection reference script saves its command line as `args`; Lightning saves
`hyper_parameters`. Only words of the expected type are taken, everything else is passed over.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from torchvision.models import get_model_weights

from detector.models.architectures import Hints
from detector.models.families import TORCHVISION_NAMES
from detector.models.published import PublishedFile


def hints_beside(beside: Mapping[str, object]) -> Hints:
    """The hints among the contents of a checkpoint that are not its state dict."""
    args = beside.get("args")
    said = Hints() if not isinstance(args, argparse.Namespace) else _reference_hints(vars(args))
    words = beside.get("hyper_parameters")
    return said.filled_from(_hyper_parameters(words)) if isinstance(words, Mapping) else said


def categories_beside(beside: Mapping[str, object]) -> tuple[str, ...] | None:
    """Category names saved as `categories`, at the top or among Lightning's hyper-parameters."""
    words = beside.get("hyper_parameters")
    for place in (beside, words if isinstance(words, Mapping) else {}):
        names = place.get("categories")
        if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
    return None


def _reference_hints(args: Mapping[str, object]) -> Hints:
    """From torchvision's references/detection/train.py, which builds `get_model(args.model, weights=...)`."""
    model, score = args.get("model"), args.get("rpn_score_thresh")
    if model not in TORCHVISION_NAMES:
        return Hints()
    return Hints(
        architecture=str(model),
        rpn_score=score if isinstance(score, float) else None,
        norm_eps=_reference_eps(str(model), args["weights"]) if "weights" in args else None,
    )


def _reference_eps(model: str, weights: object) -> float | None:
    """The builder's epsilon for those starting weights; the script keeps it while it trains."""
    for member in get_model_weights(model):
        if isinstance(weights, str) and weights.rsplit(".", 1)[-1] in _names_of(model, member.name):
            return PublishedFile(model, member, verified=True).norm_eps
    return 1e-5 if weights is None else None


def _names_of(model: str, name: str) -> set[str]:
    default = get_model_weights(model)["DEFAULT"]
    return {name, "DEFAULT"} if default.name == name else {name}


def _hyper_parameters(words: Mapping[object, object]) -> Hints:
    architecture = words.get("architecture")
    sizes = words.get("anchor_sizes")
    low, high = words.get("min_size"), words.get("max_size")
    return Hints(
        architecture=architecture if isinstance(architecture, str) else None,
        anchor_sizes=sizes if isinstance(sizes, list | tuple) else None,
        min_size=low if isinstance(low, int) else None,
        max_size=high if isinstance(high, int) else None,
    )
