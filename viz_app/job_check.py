"""What a process will read on behalf of a page is looked at here first: the process itself reads without asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz_app import resources
from viz_app.jobs.readable import readable_detector

if TYPE_CHECKING:
    from detector.training.config import RunConfig
    from detector.training.tuning import StudyConfig


def check_job(*datasets: str, model: str | None) -> None:
    """Open the data sets, which looks at where each of their images is, and look at the path of the detector.

    Args:
        datasets: as `open_dataset` takes them.
        model: as `load_detector` takes it; None where there is none.

    Raises:
        ValueError, OSError, TypeError: as `resources.dataset` and `readable_detector`.
    """
    for source in dict.fromkeys(datasets):
        resources.dataset(source)
    if model is not None:
        readable_detector(model)


def check_run(config: RunConfig) -> None:
    """As `check_job`, for a training."""
    check_job(config.data.train, config.data.val, model=config.model.source)


def check_study(config: StudyConfig) -> None:
    """As `check_job`, for a study of thresholds or of trainings."""
    if not config.run:
        check_job(config.dataset, model=config.model)
        return
    # Imported when it is asked for, as all that is about studies.
    from detector.data.plain_yaml import parse_yaml
    from detector.training.config_file import config_of

    check_run(config_of(parse_yaml(config.run)))
