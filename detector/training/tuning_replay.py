"""A trial without training: both filters replayed on all captured images under other thresholds, and judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from detector.data.datasets import open_dataset
from detector.models.families import TORCHVISION_NAMES
from detector.models.zoo import load_detector
from detector.training.tuning_cache import CachedImages, capture_images
from detector.training.tuning_metric import Averages, Judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import optuna

    from detector.models.detector import Detector
    from detector.tracing.thresholds import Thresholds
    from detector.training.tuning import StudyConfig


@dataclass(frozen=True, slots=True, eq=False)
class ReplayObjective:
    """What a study of thresholds asks of each trial.

    Args:
        config: the study.
        cached: its images.
        judge: of them.
    """

    config: StudyConfig
    cached: CachedImages
    judge: Judge

    @classmethod
    def of(cls, config: StudyConfig, progress: Callable[[int, int], None] | None = None) -> ReplayObjective:
        """Load the detector and capture the images.

        Args:
            config: a study of thresholds.
            progress: told how many images are captured, and of how many.

        Raises:
            ValueError: a model or data set that cannot be used.
        """
        dataset = open_dataset(config.dataset)
        cached = capture_images(
            detector_of(config.model, config.weights),
            dataset,
            floor=min((one.low for one in config.parameters if one.name == "box_score"), default=1.0),
            moves_rpn=config.moves_rpn,
            limit=config.limit,
            progress=progress,
        )
        return cls(config, cached, Judge(cached.truths, cached.labels))

    def at(self, values: Mapping[str, float]) -> Averages:
        """How good the model is with some of its thresholds changed; none gives the model as it is."""
        return self.judge.averages(self.cached.replay(self.thresholds(values)))

    def thresholds(self, values: Mapping[str, float]) -> Thresholds:
        """The model's own thresholds but for `values`."""
        return self.cached.own.replace(**values)

    def __call__(self, trial: optuna.Trial) -> tuple[float, ...]:
        """One trial; everything that was measured is kept with it, not only the objectives."""
        found = self.at({one.name: one.suggest(trial) for one in self.config.parameters})
        trial.set_user_attr("measured", asdict(found))
        return self.values(found)

    def values(self, found: Averages) -> tuple[float, ...]:
        """The objectives, in the study's order."""
        return tuple(float(getattr(found, name)) for name in self.config.objectives)


def detector_of(model: str, weights: str | None) -> Detector:
    """The detector that a study names: a torchvision name has its own weights unless others are said.

    Raises:
        ValueError: as `load_detector`.
    """
    if model not in TORCHVISION_NAMES:
        return load_detector(model, weights=weights)
    return load_detector(model, weights=None if weights == "random" else weights or "DEFAULT")
