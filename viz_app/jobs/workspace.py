"""Where Boxscope keeps what it works out over minutes: a folder of the user's own, outside of any data set.

WORKSPACE/diagnoses/<name>/     one diagnosis of a data set each, of the app or of the shell, resumable
WORKSPACE/checkpoints/          checkpoints that were uploaded, for a process that cannot see the session
WORKSPACE/datasets/<name>/      data sets: uploaded ones, and whatever a person puts there
WORKSPACE/runs/<name>/          one training run each
WORKSPACE/studies/<name>/       one study of settings each
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from platformdirs import user_data_path

VARIABLE = "BOXSCOPE_WORKSPACE"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,150}")


def workspace() -> Path:
    """The folder that the environment variable `BOXSCOPE_WORKSPACE` names, else one among the user's own data.

    It need not exist: whoever writes into it makes it.
    """
    named = os.environ.get(VARIABLE, "").strip()
    return Path(named).expanduser().absolute() if named else user_data_path("boxscope", appauthor=False)


def datasets_folder() -> Path:
    """The folder with one data set in each of its folders; it need not exist."""
    return workspace() / "datasets"


def runs_folder() -> Path:
    """The folder with one training run in each of its folders; it need not exist."""
    return workspace() / "runs"


def studies_folder() -> Path:
    """The folder with one study in each of its folders; it need not exist."""
    return workspace() / "studies"


def dataset_names() -> tuple[str, ...]:
    """Names of the data sets in the workspace, by the alphabet; hidden folders are none."""
    folder = datasets_folder()
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and is_name(entry.name)))


def diagnosis_folder(name: str) -> Path:
    """The folder of one diagnosis.

    Args:
        name: letters, digits, dots, dashes and underscores; not a path.

    Raises:
        ValueError: something else, which could lead out of the workspace.
    """
    return _below(workspace() / "diagnoses", name, "a diagnosis")


def run_folder(name: str) -> Path:
    """The folder of one training run; it need not exist. As `diagnosis_folder`."""
    return _below(runs_folder(), name, "a run")


def _below(folder: Path, name: str, what: str) -> Path:
    if not is_name(name):
        raise ValueError(
            f"{name[:40]!r} cannot name {what}; expected letters, digits, dots, dashes and underscores"
        )
    return folder / name


def is_name(text: str) -> bool:
    """Whether a text can be the name of a diagnosis, a run or a study: it is not a path."""
    return _NAME.fullmatch(text) is not None


def free_name(folder: Path, stem: str) -> str:
    """A name that nothing in a folder has, such as `shapes-2`."""
    number = 1
    while (folder / f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"


def diagnosis_names() -> tuple[str, ...]:
    """Names of the diagnoses in the workspace, the one that was written to last first."""
    folder = workspace() / "diagnoses"
    if not folder.is_dir():
        return ()
    found = [entry for entry in folder.iterdir() if entry.is_dir() and is_name(entry.name)]
    return tuple(entry.name for entry in sorted(found, key=_written, reverse=True))


def checkpoint_path(name: str, sha256: str) -> Path:
    """Where an uploaded checkpoint lies in the workspace, once it is kept.

    Args:
        name: of the uploaded file; its ending says what it is.
        sha256: hex digest of the file.
    """
    ending = "".join(re.findall(r"[A-Za-z0-9_.-]", Path(name).name))[-60:].lstrip(".") or "checkpoint"
    return workspace() / "checkpoints" / f"{sha256[:12]}_{ending}"


def keep_checkpoint(path: Path, data: bytes) -> None:
    """Write an uploaded checkpoint to `checkpoint_path`, if it is not there yet; raises OSError."""
    if path.is_file() and path.stat().st_size == len(data):
        return
    from detector.data.leftovers import sweep_old
    from detector.data.sealed import replace_file

    path.parent.mkdir(parents=True, exist_ok=True)
    sweep_old(path.parent)
    replace_file(path, data)


def _written(folder: Path) -> float:
    status = folder / "status.json"
    return (status if status.is_file() else folder).stat().st_mtime
