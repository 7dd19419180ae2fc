"""Saving a detector into one file, and opening a file of ours or of anyone's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from detector.data.sealed import write_sealed
from detector.models.architectures import Hints, has_frozen_norm, infer_blueprint
from detector.models.blueprints import Blueprint
from detector.models.checkpoint_reading import CHECKPOINT_KIND, CheckpointFile, read_checkpoint_file
from detector.models.detector import Detector
from detector.models.families import PYRAMID
from detector.models.published import FAMILIES_WITHOUT_EPS, PublishedFile, coco_names, find_published
from detector.models.state_dicts import CleanState, check_finite, check_fit, check_stored, clean_state
from detector.models.training_words import categories_beside, hints_beside

_COCO_CLASSES = 91


def save_checkpoint(
    path: str | Path,
    model: GeneralizedRCNN,
    *,
    categories: Sequence[str],
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Write a detector into one safetensors file that `load_detector` opens without any further word.

    Args:
        path: the file; written under a temporary name and renamed, so that it is complete or not there.
        model: a pyramid detector or one of the torchvision families.
        categories: K names with the background at index 0, or K-1 without it.
        metadata: what else the file shall say (recipe, seed, measured metrics); plain JSON values.

    Returns:
        SHA-256 over tensors and header, as written into the file.

    Raises:
        ValueError: a model of another kind or with parts of another shape, weights with NaN or infinite values
            (`load_detector` would refuse them too), a number of names that does not fit, metadata that is not
            JSON, or a folder that does not exist.
        OSError: the file cannot be written.
    """
    detector = Detector.wrap(model, categories)
    blueprint = Blueprint.of(model)
    state = model.state_dict()
    check_fit(state, blueprint.outline().state_dict(), f"a plain {blueprint.family}")
    check_finite(state)
    entries = {
        "family": blueprint.family,
        "config": json.dumps(dict(blueprint.settings)),
        "categories": json.dumps(detector.categories),
        "metadata": _to_json(dict(metadata or {})),
    }
    return write_sealed(Path(path), CHECKPOINT_KIND, state, entries)


def _to_json(metadata: dict[str, Any]) -> str:
    try:
        return json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the checkpoint's metadata cannot be written as JSON ({error})") from error


def load_checkpoint(
    path: str | Path, *, hints: Hints | None = None, categories: Sequence[str] | None = None, name: str = ""
) -> Detector:
    """Open a checkpoint: one of `save_checkpoint`, or a state dict as people save them.

    Read are bare state dicts, `{"model": ...}` of torchvision's reference script, Lightning's `.ckpt` and
    safetensors; prefixes of wrappers are taken off, and nothing in a pickle is run.

    Args:
        path: the file.
        hints: what a foreign file does not say of its architecture.
        categories: K names with the background, or K-1 without; the file's own, else COCO's for 91 classes,
            else numbered names.
        name: the detector's name for people; the file's name when left out.

    Returns:
        The detector in eval mode on the CPU; its notes say what was inferred.

    Raises:
        ValueError: a file that cannot be loaded completely and exactly; names the file and the remedy.
    """
    path = Path(path)
    try:
        file = read_checkpoint_file(path)
        load = _load_own if file.entries else _load_foreign
        return load(file, hints or Hints(), categories, name or path.name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _load_own(file: CheckpointFile, hints: Hints, categories: Sequence[str] | None, name: str) -> Detector:
    if hints.given():
        raise ValueError(f"the file itself says its {hints.given()[0]}; leave that out")
    try:
        blueprint = Blueprint(file.entries["family"], json.loads(file.entries["config"]))
        names, metadata = (json.loads(file.entries[key]) for key in ("categories", "metadata"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its header does not describe a detector ({error})") from error
    model = _filled(blueprint, clean_state(file.state).tensors)
    detector = Detector.wrap(model, categories or names, name=name)
    return replace(detector, metadata=MappingProxyType(metadata))


def _load_foreign(
    file: CheckpointFile, hints: Hints, categories: Sequence[str] | None, name: str
) -> Detector:
    state = clean_state(file.state)
    check_stored(state.tensors)
    published = find_published(file.sha256, file.path.name)
    said = hints_beside(file.beside)
    if published is not None:
        said = Hints(published.family, norm_eps=published.norm_eps).filled_from(said)
    if not has_frozen_norm(state.tensors):
        said = replace(said, norm_eps=None)
    hints = hints.filled_from(said)
    blueprint = infer_blueprint(state.tensors, hints)
    model = _filled(blueprint, state.tensors)
    names, names_note = _choose_categories(blueprint, categories or categories_beside(file.beside))
    notes = (
        f"the architecture {blueprint.family} with {blueprint.settings['num_classes']} classes was read from "
        "the tensors; anchors, input size and thresholds are its defaults unless given",
        names_note,
        _norm_note(blueprint, published, hints),
        _left_out_note(state),
    )
    return replace(Detector.wrap(model, names, name=name), notes=tuple(note for note in notes if note))


def _filled(blueprint: Blueprint, tensors: Mapping[str, Tensor]) -> GeneralizedRCNN:
    """The model with these very weights; random ones are never drawn, so nothing unfilled can hide."""
    try:
        model = blueprint.outline()
    except Exception as error:  # settings of a wrong type or size fail anywhere in the building
        raise ValueError(f"its settings do not make a {blueprint.family} ({error})") from error
    expected = model.state_dict()
    check_fit(tensors, expected, blueprint.family)
    fitting = {name: tensor.to(expected[name].dtype, copy=True) for name, tensor in tensors.items()}
    check_finite(fitting)  # as they will be used: a large float64 becomes infinite in float32
    model.load_state_dict({name: tensor.contiguous() for name, tensor in fitting.items()}, assign=True)
    return model


def _choose_categories(blueprint: Blueprint, said: Sequence[str] | None) -> tuple[Sequence[str] | None, str]:
    """Names (None for numbered ones) and the note that says where they come from."""
    if said is not None:
        return said, ""
    classes = blueprint.settings["num_classes"]
    if blueprint.family != PYRAMID:
        names = coco_names(blueprint.family)
        if classes == len(names):
            return names, f"the file names no categories; with {classes} classes they are taken to be COCO's"
    return None, "the file names no categories; they are numbered (give categories= to name them)"


def _norm_note(blueprint: Blueprint, published: PublishedFile | None, hints: Hints) -> str:
    """What is to be said of the epsilon of the backbone's frozen BatchNorm."""
    if not blueprint.settings.get("frozen_norm") or blueprint.family not in FAMILIES_WITHOUT_EPS:
        return ""
    eps = blueprint.settings["norm_eps"]
    if published is not None and eps == published.norm_eps:
        sure = "" if published.verified else " by its name (its SHA-256 is another: re-saved or damaged)"
        return (
            f"this is torchvision's own file{sure}; its BatchNorm epsilon is {eps:g}, as torchvision sets it "
            "for these weights"
        )
    if hints.norm_eps is not None:
        return f"the BatchNorm epsilon of the backbone is {eps:g}, as given"
    return (
        f"the backbone's BatchNorm is frozen and the file does not say its epsilon: {eps:g} is used; if it "
        "was trained from torchvision's COCO_V1 detector, whose epsilon is 0, give norm_eps=0.0"
    )


def _left_out_note(state: CleanState) -> str:
    if not state.left_out:
        return ""
    return (
        f"{len(state.left_out)} entries outside of {state.prefix!r} were left out, the first is "
        f"{state.left_out[0]!r}"
    )
