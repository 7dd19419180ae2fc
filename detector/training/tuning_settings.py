"""The settings of a training run with a trial's values in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from detector.data.plain_yaml import parse_yaml
from detector.models.families import TORCHVISION_NAMES
from detector.training.config_file import config_of
from detector.training.tuning_space import USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.training.config import RunConfig
    from detector.training.tuning import StudyConfig

_LOSSES = ("rpn_cls", "rpn_bbox", "fast_rcnn_cls", "fast_rcnn_bbox")


def base_of(config: StudyConfig) -> RunConfig:
    """The training run that every trial of a study changes.

    Raises:
        ValueError: settings that cannot be.
    """
    return _read(config.run)


def usual(kind: str, run: str = "") -> tuple[str, ...]:
    """Names of what a study changes when nobody says; torchvision's models have no dropout.

    Args:
        kind: `training` or `thresholds`.
        run: the training run, as text.
    """
    names = USUAL[kind]
    if kind == "training" and _read(run).model.source in TORCHVISION_NAMES:
        names = tuple(name for name in names if name != "dropout")
    return names


def _read(text: str) -> RunConfig:
    return config_of(parse_yaml(text) or {})


def config_with(run: RunConfig, values: Mapping[str, float], monitor: str = "AP") -> RunConfig:
    """A run with a trial's values in its settings.

    Args:
        run: the run.
        values: by the names of `tuning_space.TRAINING`.
        monitor: what its best epoch is chosen by.
    """
    model, recipe, weights = run.model, run.recipe, run.recipe.loss_weights
    for name, value in values.items():
        if name in ("lr", "weight_decay"):
            recipe = replace(recipe, **{name: value})
        elif name.startswith("lambda_"):
            weights = replace(weights, **{_LOSSES[int(name[-1]) - 1]: value})
        elif name == "anchor_scale":
            model = replace(model, anchor_sizes=scaled_anchors(run, value))
        else:
            model = replace(model, **{name: value})
    return replace(run, model=model, recipe=replace(recipe, loss_weights=weights), monitor=monitor)


def scaled_anchors(run: RunConfig, factor: float) -> tuple[tuple[float, ...], ...]:
    """The anchors' sides, network px, of each level, all times `factor`."""
    sizes = run.model.anchor_sizes or _own_anchors(run)
    return tuple(tuple(float(side) * factor for side in level) for level in sizes)


def _own_anchors(run: RunConfig) -> tuple[tuple[float, ...], ...]:
    from detector.training.building import build_model

    detector = build_model(run.model, ("background", "object"))
    return tuple(tuple(map(float, level)) for level in detector.model.rpn.anchor_generator.sizes)
