"""Which detector a subcommand is about: what `load_detector` takes, or a training run by name or folder.

Only names are imported at the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HELP = (
    "shapes (bundled, the default), a torchvision name with its own weights, a checkpoint file, or a training run: "
    "NAME or its folder (its best epoch), NAME/last, or one that `keep_every` kept, such as NAME/epoch_0003"
)


@dataclass(frozen=True, slots=True)
class NamedModel:
    """What a text names.

    Args:
        source: what `load_detector` takes.
        run: name of the training run and its checkpoint, such as `night/best`; empty for any other model.
    """

    source: str
    run: str = ""


def find_model(text: str) -> NamedModel:
    """What a text on the command line names; anything that is no run is left to `load_detector`.

    Raises:
        ValueError: a run that has no such checkpoint, or none yet.
    """
    from detector.models.zoo import detector_names

    if text in detector_names() or Path(text).is_file():
        return NamedModel(text)
    folder, checkpoint = _run_folder(Path(text))
    if folder is None:
        return NamedModel(text)
    file = folder / "checkpoints" / f"{checkpoint or 'best'}.safetensors"
    if not file.is_file():
        there = ", ".join(sorted(one.stem for one in file.parent.glob("*.safetensors")))
        has = f"it has {there}" if there else "it has none yet"
        raise ValueError(f"the run {folder.name} has no checkpoint {file.stem!r}; {has}")
    return NamedModel(str(file), f"{folder.name}/{file.stem}")


def _run_folder(path: Path) -> tuple[Path | None, str]:
    """(folder of the run, name of its checkpoint or nothing) that a path or a name means."""
    from viz_app.jobs.workspace import runs_folder

    for start in (Path(), runs_folder()):
        if start != Path() and (path.is_absolute() or ".." in path.parts):
            continue
        if _is_run(start / path):
            return start / path, ""
        if path.name and _is_run(start / path.parent):
            return start / path.parent, path.name
    return None, ""


def _is_run(folder: Path) -> bool:
    from detector.training.run_directory import CONFIG
    from detector.training.run_status import STATUS

    return (folder / "checkpoints").is_dir() or ((folder / CONFIG).is_file() and (folder / STATUS).is_file())
