"""One process or many at the same work: Lightning Fabric starts them, or `torchrun` has done so already.

Lightning is imported only where there is more than one process.
"""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detector.models.detector import Detector

_PATIENCE = timedelta(days=7)
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


def outside_team(detector: Detector) -> Team:
    """This process among those that `torchrun` started, on one machine or on many."""
    local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    fabric = _fabric(_kind_of(detector), local, "popen", nodes=world // local)
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
    kind = _kind_of(detector)
    if kind == "cuda" and processes > torch.cuda.device_count():
        raise ValueError(f"{processes} processes need as many GPUs; there are {torch.cuda.device_count()}")
    packed = io.BytesIO()
    try:
        torch.save((detector, job), packed)
    except Exception as error:  # pickle fails in many ways
        raise ValueError(
            f"the detector or the data set cannot be handed to another process ({error}); use one process"
        ) from error
    fabric = _fabric(kind, processes, "spawn")
    before = set(multiprocessing.active_children())
    with _kept_environment(), _ticking(tick):
        try:
            fabric.launch(_child, body, packed.getvalue())
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


def _child(fabric: Any, body: Callable[[Team, Detector, Any], None], packed: bytes) -> None:  # noqa: ANN401
    detector, job = torch.load(io.BytesIO(packed), map_location=fabric.device, weights_only=False)
    _hush()
    body(Team(fabric.global_rank, fabric.world_size, fabric), detector, job)
    fabric.barrier()


def _fabric(kind: str, devices: int, start_method: Any, nodes: int = 1) -> Any:  # noqa: ANN401
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import DDPStrategy

    _hush()
    # Only words are exchanged, so gloo does for GPUs, too; a slow process may be hours behind a quick one.
    strategy = DDPStrategy(process_group_backend="gloo", timeout=_PATIENCE, start_method=start_method)
    return Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy)


def _hush() -> None:
    """Lightning announces its processes on the terminal, where a progress line stands."""
    for name in ("lightning", "lightning.fabric", "lightning.fabric.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)


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
