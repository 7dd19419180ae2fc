"""One process or many at the same work: Lightning Fabric starts them, or `torchrun` has done so already.

Lightning is imported only where there is more than one process.
"""

from __future__ import annotations

import builtins
import multiprocessing
import os
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from detector.models.detector import Detector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ADDRESS = ("MASTER_ADDR", "MASTER_PORT")
_TICK = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Team:
    """This process among those that work together.

    Args:
        rank: of this process; 0 leads.
        size: how many there are.
        fabric: what connects them; None for one process.
    """

    rank: int = 0
    size: int = 1
    fabric: Any = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that speaks for all."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all are here."""
        if self.fabric is not None:
            self.fabric.barrier()

    def told(self, value: Any) -> Any:  # noqa: ANN401 - whatever is told
        """What the leader says; the others' own value does not count."""
        return value if self.fabric is None else self.fabric.broadcast(value, src=0)


def launched_from_outside() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return torch.distributed.is_torchelastic_launched() and int(os.environ.get("WORLD_SIZE", "1")) > 1


def leads() -> bool:
    """Whether this process speaks for all that `torchrun` started, or is alone."""
    return not launched_from_outside() or os.environ.get("RANK", "0") == "0"


def outside_team(detector: Detector) -> Team:
    """This process among those that `torchrun` started, on one machine or on many."""
    from detector.judging.fabric import fabric_of

    local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    fabric = fabric_of(_kind_of(detector), local, "popen", nodes=world // local)
    fabric.launch()
    detector.model.to(fabric.device)
    return Team(fabric.global_rank, fabric.world_size, fabric)


def spawn(
    body: Callable[[Team, Detector, Any], None],
    detector: Detector,
    job: Any,  # noqa: ANN401 - the body's own
    processes: int,
    tick: Callable[[], None] | None = None,
) -> None:
    """Run `body(team, detector, job)` in processes of their own, and wait for them.

    Args:
        body: a function at the top of a module; it is called once in each process.
        detector: goes to each process; on CUDA each gets a device of its own.
        job: anything that can be pickled.
        processes: how many.
        tick: called here about twice a second meanwhile.

    Raises:
        ValueError: more processes than devices, or something that cannot be pickled.
    """
    from detector.judging.fabric import fabric_of

    kind = _kind_of(detector)
    if kind == "cuda" and processes > torch.cuda.device_count():
        raise ValueError(f"{processes} processes need as many GPUs; there are {torch.cuda.device_count()}")
    fabric: Any = fabric_of(kind, processes, "spawn")
    before = set(multiprocessing.active_children())
    with _packed(detector, job) as parcel, _kept_environment(), _ticking(tick):
        try:
            fabric.launch(_child, body, parcel)
        except (ProcessRaisedException, ProcessExitedException) as error:
            raise in_words(error) from error
        finally:
            _end(set(multiprocessing.active_children()) - before)


@contextmanager
def threads_of(count: int | None) -> Iterator[None]:
    """So many CPU threads inside the block; None leaves them as they are."""
    before = torch.get_num_threads()
    if count is not None and count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def _child(fabric: Any, body: Callable[[Team, Detector, Any], None], parcel: Path) -> None:  # noqa: ANN401
    # The process that started this one wrote the file a moment ago: unpickling it runs nothing foreign.
    model, categories, name, job = torch.load(parcel, map_location=fabric.device, weights_only=False)
    body(Team(fabric.global_rank, fabric.world_size, fabric), Detector(model, categories, name), job)
    fabric.barrier()


@contextmanager
def _packed(detector: Detector, job: Any) -> Iterator[Path]:  # noqa: ANN401
    """A file for the processes, gone after the block. (Through a pipe they would start one after the other.)"""
    with tempfile.TemporaryDirectory(prefix="boxscope-") as folder:
        parcel = Path(folder) / "parcel.pt"
        try:
            torch.save((detector.model, detector.categories, detector.name, job), parcel)
        except Exception as error:  # pickle fails in many ways
            raise ValueError(
                f"the detector or the data set cannot be handed to another process ({error}); use one process"
            ) from error
        yield parcel


def in_words(error: ProcessRaisedException | ProcessExitedException) -> Exception:
    """What ended a process, to be raised here. A caller's mistake there is one here, too."""
    if isinstance(error, ProcessExitedException):
        return OSError(
            f"a process was ended from outside ({error}), perhaps for want of memory; what is finished is kept: "
            "call again, with fewer processes"
        )
    # Below the stack, whose lines are indented, stand the kind of the error and its message.
    below = takewhile(lambda line: not line.startswith("    "), reversed(str(error).strip().splitlines()))
    text = "\n".join(reversed(list(below)))
    name, _, message = text.partition(": ")
    kind: Any = getattr(builtins, name, None)
    for mistake in (ValueError, TypeError, OSError):
        if isinstance(kind, type) and issubclass(kind, mistake):
            return mistake(message)
    return RuntimeError(text)


def _kind_of(detector: Detector) -> str:
    return next(detector.model.parameters()).device.type


@contextmanager
def _kept_environment() -> Iterator[None]:
    """Fabric leaves the address of its processes behind."""
    before = {name: os.environ.get(name) for name in _ADDRESS}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _ticking(tick: Callable[[], None] | None) -> Iterator[None]:
    """Call `tick` from a thread until the block ends, and once more then."""
    if tick is None:
        yield
        return
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(_TICK):
            tick()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        tick()


def _end(children: set[Any]) -> None:
    """End processes that were started here and still run: their leader was interrupted, or one of them failed."""
    for child in children:
        child.terminate()
    for child in children:
        child.join(10)
