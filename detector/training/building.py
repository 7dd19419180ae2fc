"""The model of a run: loaded or begun anew, with the settings that differ and a head for the data's categories.

Whatever changes, the model is built again from its blueprint, and takes over every tensor whose name and shape
still fit. So it is always one that `save_checkpoint` can describe.

Shapes: `K` categories with background, `A` anchors per cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from detector.models.blueprints import Blueprint
from detector.models.detector import Detector
from detector.models.families import PYRAMID, TORCHVISION_NAMES
from detector.models.pyramid import PyramidConfig, build_pyramid
from detector.models.zoo import load_detector
from detector.training.config import PYRAMID_FROM_SCRATCH, ModelConfig
from detector.training.inheriting import inherited, parts_of

_OF_PYRAMIDS = (
    "anchor_sizes",
    "aspect_ratios",
    "min_size",
    "max_size",
    "dropout",
    "hard_negative_share",
    "box_nms",
)
_ONLY_PYRAMIDS = ("pyramid", "dropout", "hard_negative_share")
_BRANCHES = {"mask": "masks", "keypoint": "keypoints"}


def build_model(config: ModelConfig, categories: Sequence[str], *, seed: int = 0) -> Detector:
    """The detector that a run trains, in eval mode on the CPU.

    Categories that the source knows by name keep what it has learned of them: all of them, or a choice in any
    order. If one of them is new, the class scores (and where they depend on the class, box deltas and masks) begin
    anew. So do the RPN's outputs if A changes. The detector's notes say what began anew.

    Args:
        config: the run's `model`.
        categories: K names of the training data, index 0 being the background.
        seed: of everything that is drawn; torch's random state is left as it was.

    Raises:
        ValueError: a source that cannot be loaded, or settings that it cannot have.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            source = _load(config, categories)
            _check_sizes(config, source.model)
            model = _blueprint(config, Blueprint.of(source.model), len(categories)).build()
        except TypeError as error:
            raise ValueError(f"model.pyramid holds a value of a wrong type ({error})") from error
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(source.model.get_parameter(name).requires_grad)
    detector = Detector.wrap(model, categories, name=source.name)
    if starts_at_random(config):
        return detector
    own = model.state_dict()
    taken = inherited(source, own, categories)
    model.load_state_dict({**own, **taken})
    began_anew = [name for name in own if name not in taken]
    return replace(detector, notes=source.notes + _notes(began_anew, source, categories))


def starts_at_random(config: ModelConfig) -> bool:
    """Whether even the backbone has learned nothing yet; freezing it would be freezing noise."""
    return config.weights is None and config.source in (PYRAMID_FROM_SCRATCH, *TORCHVISION_NAMES)


def check_teachable(detector: Detector, target: Mapping[str, Any]) -> None:
    """Refuse a model with a branch that the data cannot teach.

    Args:
        detector: what shall be trained.
        target: of any sample of the training data.

    Raises:
        ValueError: it predicts masks or keypoints, and the data have none.
    """
    for branch, needed in _BRANCHES.items():
        if (
            getattr(detector.model.roi_heads, f"{branch}_predictor", None) is not None
            and needed not in target
        ):
            raise ValueError(
                f"{detector.name} learns {needed}, too, and the training data have boxes only; take a Faster "
                "R-CNN such as fasterrcnn_resnet50_fpn_v2"
            )


def _load(config: ModelConfig, categories: Sequence[str]) -> Detector:
    """What the model comes from; of one with random weights only the settings count."""
    if config.source in TORCHVISION_NAMES and config.weights is None:
        outline = Blueprint(config.source, {"num_classes": len(categories)}).outline()
        return Detector.wrap(outline, categories, name=config.source)
    if config.source != PYRAMID_FROM_SCRATCH:
        return load_detector(config.source, weights=config.weights)
    if config.weights not in (None, "DEFAULT"):
        raise ValueError(
            f"model.weights is {config.weights!r}; a pyramid has DEFAULT (ImageNet's body) or null"
        )
    settings = PyramidConfig.from_dict({**config.pyramid, "num_classes": len(categories)})
    model = build_pyramid(settings, pretrained_body=config.weights is not None)
    return Detector.wrap(model.eval(), categories, name=PYRAMID)


def _blueprint(config: ModelConfig, source: Blueprint, classes: int) -> Blueprint:
    """The source's blueprint with the settings of the run."""
    settings = {**source.settings, "num_classes": classes}
    if source.family == PYRAMID:
        given = {name: getattr(config, name) for name in _OF_PYRAMIDS}
        settings |= config.pyramid | {name: value for name, value in given.items() if value is not None}
        return Blueprint(PYRAMID, settings)
    for name in _ONLY_PYRAMIDS:
        if getattr(config, name) not in (None, {}):
            raise ValueError(
                f"model.{name} goes with a pyramid detector; {source.family} has no such setting"
            )
    if config.min_size is not None:
        settings["min_size"] = [config.min_size]
    if config.max_size is not None:
        settings["max_size"] = config.max_size
    if config.box_nms is not None:
        settings["box_nms_thresh"] = config.box_nms
    if config.anchor_sizes is not None:
        settings["anchor_sizes"] = config.anchor_sizes
        ratios = settings["aspect_ratios"][0]
        settings["aspect_ratios"] = (ratios,) * len(config.anchor_sizes)
    if config.aspect_ratios is not None:
        settings["aspect_ratios"] = (config.aspect_ratios,) * len(settings["anchor_sizes"])
    return Blueprint(source.family, settings)


def _check_sizes(config: ModelConfig, model: Any) -> None:  # noqa: ANN401 - torch types its parts loosely
    levels = len(model.rpn.anchor_generator.sizes)
    sizes, ratios = config.anchor_sizes, config.aspect_ratios
    if sizes is not None:
        counts = [len(level) for level in sizes]
        if len(counts) != levels or len(set(counts)) != 1 or 0 in counts:
            raise ValueError(
                f"model.anchor_sizes has {counts} sizes in its levels; this detector has {levels} levels, and each "
                "needs equally many"
            )
    if ratios == ():
        raise ValueError("model.aspect_ratios is (); expected numbers above 0")
    low = config.min_size or min(model.transform.min_size)
    high = config.max_size or model.transform.max_size
    if low > high:
        raise ValueError(f"model.min_size {low} is over model.max_size {high}; set both")


def _notes(began_anew: Sequence[str], source: Detector, categories: Sequence[str]) -> tuple[str, ...]:
    """What was lost on the way, and what was kept although the categories differ."""
    notes = []
    if began_anew:
        parts = ", ".join(parts_of(began_anew))
        notes.append(f"parts of {source.name} that do not fit begin anew with random weights: {parts}")
    elif tuple(categories[1:]) != source.categories[1:]:
        notes.append(
            f"of the {source.num_classes - 1} categories of {source.name} {len(categories) - 1} were kept, by name"
        )
    return tuple(notes)
