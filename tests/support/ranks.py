"""One of several processes that train together: `python -m support.ranks CONFIG OUT`, started by `torchrun`.

Each writes what its weights and buffers are in the end into OUT.rank0, OUT.rank1, ...
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback

from detector.data.sealed import checksum
from detector.training import callbacks
from detector.training.config_file import read_config
from detector.training.fit import fit


class Digest(Callback):
    """Writes the digest of the model when the training has ended."""

    def __init__(self, out: str) -> None:
        self.out = out

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        state = {name: value.cpu() for name, value in pl_module.model.state_dict().items()}
        seen = [i for batch in pl_module.order for _, i in batch]
        Path(f"{self.out}.rank{trainer.global_rank}").write_text(f"{checksum(state, {})} {len(seen)}")


def main(config: str, out: str) -> None:
    torch.set_num_threads(1)
    plain = callbacks.run_callbacks
    callbacks.run_callbacks = lambda *given, **named: [*plain(*given, **named), Digest(out)]
    fit(read_config(config), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
