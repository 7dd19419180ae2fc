"""What a study is: many trials, each with other settings, in search of the best ones.

A study of kind `training` trains a detector in each trial. One of kind `thresholds` trains nothing: it replays both
filters on images that were captured once.

    STUDIES/NAME/study.json     what it is a study of
    STUDIES/NAME/study.db       its trials, unless a database elsewhere holds them
    STUDIES/NAME/trials/0007/   the training run of a trial
    STUDIES/NAME/best.json      the best settings, once there are some
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from detector.data.sealed import replace_file
from detector.explaining.rungs import Rung
from detector.training.tuning_space import THRESHOLDS, TRAINING, Parameter

STUDY, DATABASE, TRIALS, BEST = "study.json", "study.db", "trials", "best.json"
_MOST_TRIALS = 1_000_000
Kind = Literal["training", "thresholds"]
AVERAGES = ("AP", "AP50", "AP75")
_TRAINED = (*AVERAGES, "AP_small", "AP_medium", "AP_large", "latency")
_REPLAYED = (*AVERAGES, "AR", "F1")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}")


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """Everything that decides what a study looks for.

    Args:
        name: of the study and of its folder.
        kind: `training` or `thresholds`.
        parameters: what may change, and how far.
        objectives: one or more of what is to be best: `AP`, `AP50`, `AP75`; with training also `AP_small`,
            `AP_medium`, `AP_large`, `recall/RUNG` and `latency` (ms for each image, lower is better); of thresholds
            also `AR` (COCO's average recall) and `F1` (of detections at IoU .50).
        trials: how many in all.
        seed: of the search.
        run: the training run's `config.yaml` as text; empty for thresholds.
        model, weights: whose thresholds; see `load_detector`.
        dataset: on which, what `open_dataset` takes.
        limit: only so many images, from the first one; None for all.

    Raises:
        ValueError: a name, parameter, objective or number that cannot be.
    """

    name: str
    kind: Kind
    parameters: tuple[Parameter, ...]
    objectives: tuple[str, ...] = ("AP",)
    trials: int = 20
    seed: int = 0
    run: str = ""
    model: str = "shapes"
    weights: str | None = None
    dataset: str = ""
    limit: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"the study is called {self.name[:40]!r}; expected letters, digits, dots, dashes and underscores"
            )
        known = {one.name for one in (TRAINING if self.kind == "training" else THRESHOLDS)}
        names = [one.name for one in self.parameters]
        if not names or len(set(names)) < len(names) or not set(names) <= known:
            raise ValueError(f"the parameters are {names}; expected some of {', '.join(sorted(known))}")
        for objective in self.objectives:
            self._check_objective(objective)
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise ValueError(
                f"the objectives are {list(self.objectives)}; expected one, or several different ones"
            )
        if self.trials < 1:
            raise ValueError(f"trials is {self.trials}; expected 1 or more")
        if self.trials > _MOST_TRIALS:
            raise ValueError(f"trials is {self.trials}; expected {_MOST_TRIALS} at most")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit is {self.limit}; expected 1 or more")

    def _check_objective(self, objective: str) -> None:
        rungs = [rung.name for rung in Rung if rung is not Rung.FOUND]
        if self.kind == "training" and objective.startswith("recall/"):
            if objective.removeprefix("recall/") not in rungs:
                raise ValueError(f"the objective is {objective!r}; the rungs are {', '.join(rungs)}")
        elif objective not in (known := _TRAINED if self.kind == "training" else _REPLAYED):
            more = " and recall/RUNG" if self.kind == "training" else ""
            raise ValueError(f"the objective is {objective!r}; expected {', '.join(known)}{more}")

    @property
    def directions(self) -> tuple[Literal["minimize", "maximize"], ...]:
        """`maximize` or `minimize`, for each objective."""
        return tuple("minimize" if one == "latency" else "maximize" for one in self.objectives)

    @property
    def monitor(self) -> str:
        """What the best epoch of a run is chosen by: the first objective that an epoch measures."""
        return next((one for one in self.objectives if one != "latency"), "AP")

    @property
    def prunes(self) -> bool:
        """Whether a trial that does worse than most is ended early: one objective that every epoch measures."""
        return self.kind == "training" and len(self.objectives) == 1 and self.objectives[0] != "latency"

    @property
    def moves_rpn(self) -> bool:
        """Whether thresholds of the RPN filter change: then the second stage may have to look at more RoIs."""
        return self.kind == "thresholds" and any(one.name.startswith("rpn_") for one in self.parameters)

    def to_json(self) -> str:
        """As text; `from_json` gives the record back."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> StudyConfig:
        """The inverse of `to_json`.

        Raises:
            ValueError: another text.
        """
        try:
            content: dict[str, Any] = json.loads(text)
            content["parameters"] = tuple(Parameter(**one) for one in content["parameters"])
            content["objectives"] = tuple(content["objectives"])
            return cls(**content)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("this is not a study of Boxscope") from error


def write_study(folder: Path, study: StudyConfig) -> None:
    """Keep what a folder is a study of; the folder is made if it is not there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / STUDY, study.to_json().encode())


def read_study(folder: Path) -> StudyConfig:
    """What a folder is a study of.

    Raises:
        ValueError: the folder holds no study, or a file that cannot be read.
    """
    try:
        return StudyConfig.from_json((folder / STUDY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no study of Boxscope") from error
