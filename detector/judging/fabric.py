"""Lightning Fabric as it is used here; imported only where there is more than one process: it takes seconds."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy

_PATIENCE = timedelta(days=7)


class QuietDDP(DDPStrategy):
    """Processes that announce nothing on the terminal, where a progress line stands."""

    def setup_environment(self) -> None:
        """As the parent does, in each process."""
        hush()
        super().setup_environment()


def fabric_of(kind: str, devices: int, start_method: Any, nodes: int = 1) -> Fabric:  # noqa: ANN401
    """Processes that are connected by gloo.

    Args:
        kind: `cpu` or `cuda`.
        devices: how many processes on each machine.
        start_method: `spawn`, or `popen` where `torchrun` has started them.
        nodes: how many machines.
    """
    hush()
    # Only words are exchanged, so gloo does for GPUs, too; a slow process may be hours behind a quick one.
    strategy = QuietDDP(process_group_backend="gloo", timeout=_PATIENCE, start_method=start_method)
    return Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy)


def hush() -> None:
    """Warnings only."""
    for name in ("lightning", "lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
