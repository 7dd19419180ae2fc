"""The folder of a training run: where everything lies, and which runs there are.

config.yaml                  everything that decides what the run does
status.json                  how it stands
metrics.jsonl                what it measured, a line for each step and epoch
train.log                    what it said
environment.txt              what it ran on
.lock                        held while a process is at work
stop                         there while somebody wants it to stop
checkpoints/best.safetensors, last.safetensors     to use
checkpoints/epoch_0003.safetensors                 likewise, where `keep_every` asks for it
checkpoints/resume.ckpt      to go on from
probes/epoch_0003/image_0.trace, probes/epoch_start/...
batches/step_000200/image_0.trace
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from detector.training.metrics_log import METRICS
from detector.training.run_status import STATUS, STOP, RunStatus, read_status

CONFIG = "config.yaml"
BEFORE_TRAINING = -1
"""The epoch of what is measured before the first step."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Where each thing of a run lies; nothing of it need be there."""

    folder: Path

    @property
    def name(self) -> str:
        """What people call the run."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """Everything that decides what the run does."""
        return self.folder / CONFIG

    @property
    def metrics(self) -> Path:
        """A line of JSON for each step and epoch; see `MetricsReader`."""
        return self.folder / METRICS

    @property
    def status(self) -> Path:
        """How the run stands; see `read_status`."""
        return self.folder / STATUS

    @property
    def log(self) -> Path:
        """What the run said."""
        return self.folder / "train.log"

    @property
    def environment(self) -> Path:
        """What the run ran on."""
        return self.folder / "environment.txt"

    @property
    def stop(self) -> Path:
        """There while somebody wants the run to stop; see `request_stop`."""
        return self.folder / STOP

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def best(self) -> Path:
        """The detector of the best epoch, for `load_detector`."""
        return self.checkpoints / "best.safetensors"

    @property
    def last(self) -> Path:
        """The detector as it was when a checkpoint was last made, for `load_detector`."""
        return self.checkpoints / "last.safetensors"

    def kept(self, epoch: int) -> Path:
        """The detector as it was after an epoch, for `load_detector`; there where `keep_every` asked for it.

        Args:
            epoch: from 0 on; in the name they count from 1, for it is people who type it.
        """
        return self.checkpoints / f"epoch_{epoch + 1:04d}.safetensors"

    @property
    def resume(self) -> Path:
        """Lightning's own checkpoint, from which the run goes on."""
        return self.checkpoints / "resume.ckpt"

    @property
    def probes(self) -> Path:
        """Traces of the probe images; see `probe_reading`."""
        return self.folder / "probes"

    @property
    def batches(self) -> Path:
        """Traces of sampled batches; see `sampled_batches`."""
        return self.folder / "batches"

    def make(self) -> None:
        """Make the folder and those for the checkpoints.

        Raises:
            OSError: they cannot be made.
        """
        self.checkpoints.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class Run:
    """A run among others.

    Args:
        name: of its folder.
        folder: where it lies.
        status: how it stands; None where nobody has begun it, or where the file cannot be read.
        problem: why the status cannot be read, in one sentence; else empty.
    """

    name: str
    folder: Path
    status: RunStatus | None
    problem: str = ""


def runs_in(folder: Path) -> list[Run]:
    """The runs whose folders lie in a folder, the one begun last first; those that nobody has begun come first.

    A folder is a run's if it holds a `config.yaml` or a `status.json`. Not there at all is no runs.
    """
    if not folder.is_dir():
        return []
    found = [
        run_at(entry)
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(".") and ((entry / CONFIG).is_file() or (entry / STATUS).is_file())
    ]
    return sorted(found, key=lambda run: -run.status.started if run.status else float("-inf"))


def run_at(folder: Path) -> Run:
    """The run in a folder, as it stands."""
    try:
        return Run(folder.name, folder, read_status(folder))
    except (ValueError, OSError) as error:
        return Run(folder.name, folder, None, " ".join(str(error).split()))
