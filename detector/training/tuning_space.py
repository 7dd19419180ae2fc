"""What a study may change: learning rate, loss weights, thresholds, and how far each may go."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Trial
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that a study may change.

    Args:
        name: such as `lr`, `lambda_1` or `box_nms`.
        low, high: its bounds, both included.
        log: tried evenly on a logarithmic scale.
        whole: whole numbers only.

    Raises:
        ValueError: bounds in the wrong order, or not finite, or not above 0 on a logarithmic scale.
    """

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"{self.name} goes from {self.low} to {self.high}; expected two rising numbers")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.name} starts at {self.low}; expected a number above 0 on a log scale")

    def distribution(self) -> BaseDistribution:
        """As Optuna writes it down."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def suggest(self, trial: Trial) -> float:
        """The value that this trial tries."""
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)


TRAINING = (
    Parameter("lr", 1e-5, 1e-2, log=True),
    Parameter("lambda_1", 0.25, 4.0, log=True),
    Parameter("lambda_2", 0.25, 4.0, log=True),
    Parameter("lambda_3", 0.25, 4.0, log=True),
    Parameter("lambda_4", 0.25, 4.0, log=True),
    Parameter("dropout", 0.0, 0.5),
    Parameter("box_nms", 0.3, 0.7),
    Parameter("anchor_scale", 0.5, 2.0, log=True),
    Parameter("hard_negative_share", 0.0, 1.0),
    Parameter("weight_decay", 1e-4, 1e-1, log=True),
)
"""What a study with training may change."""

THRESHOLDS = (
    Parameter("box_score", 0.01, 0.95),
    Parameter("box_nms", 0.2, 0.8),
    Parameter("box_limit", 5, 300, whole=True),
    Parameter("rpn_nms", 0.4, 0.9),
    Parameter("rpn_score", 0.0, 0.5),
    Parameter("rpn_pre_nms_top_n", 50, 2000, log=True, whole=True),
    Parameter("rpn_post_nms_top_n", 50, 2000, log=True, whole=True),
)
"""What a study of thresholds alone may change."""

_SHARES = ("box_score", "box_nms", "rpn_nms", "rpn_score", "dropout", "hard_negative_share")
_MOST_CANDIDATES = 10_000

USUAL = {
    "training": ("lr", "lambda_1", "lambda_2", "lambda_3", "lambda_4", "dropout", "box_nms"),
    "thresholds": ("box_score", "box_nms"),
}
"""What is changed when nobody says."""


def parameters_of(kind: str, texts: Sequence[str] = ()) -> tuple[Parameter, ...]:
    """The parameters that texts name, each `NAME` or `NAME=LOW..HIGH`; the usual ones where there are none.

    Args:
        kind: `training` or `thresholds`.
        texts: such as `lr` or `lr=1e-4..1e-2`.

    Raises:
        ValueError: a name that is not known, given twice, or bounds that cannot be.
    """
    known = {one.name: one for one in (TRAINING if kind == "training" else THRESHOLDS)}
    found: dict[str, Parameter] = {}
    for text in texts or USUAL[kind]:
        name, _, bounds = text.strip().partition("=")
        if name not in known:
            raise ValueError(f"a study cannot change {name!r}; it can change {', '.join(known)}")
        if name in found:
            raise ValueError(f"{name} is named twice")
        found[name] = _bounded(known[name], bounds) if bounds else known[name]
    return tuple(found.values())


def _bounded(parameter: Parameter, bounds: str) -> Parameter:
    low, dots, high = bounds.partition("..")
    try:
        numbers = float(low), float(high)
    except ValueError:
        raise ValueError(
            f"the bounds of {parameter.name} are {bounds!r}; expected two numbers such as 0.1..0.5"
        ) from None
    if not dots or (parameter.whole and any(not number.is_integer() for number in numbers)):
        raise ValueError(f"the bounds of {parameter.name} are {bounds!r}; expected such as 5..300")
    _refuse_impossible(parameter, *numbers)
    return replace(parameter, low=numbers[0], high=numbers[1])


def _refuse_impossible(parameter: Parameter, low: float, high: float) -> None:
    """Values that no setting can have: every trial with one would fail."""
    least = 1 if parameter.whole else 0
    most = 1.0 if parameter.name in _SHARES else _MOST_CANDIDATES if parameter.whole else math.inf
    if low < least or high > most:
        expected = f"{least} or more" if most == math.inf else f"{least} to {most:,.0f}"
        raise ValueError(f"{parameter.name} goes from {low:g} to {high:g}; expected {expected}")
