"""Tiny training runs, and folders of runs that only look like ones."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from detector.training.config import DataConfig, ModelConfig, Recipe, RunConfig, TrainerConfig
from detector.training.liveness import process_started
from detector.training.run_status import RunState, RunStatus

_PYRAMID = {
    "body": "small", "first_stage": 2, "channels": 8, "hidden": 12, "min_size": 64, "max_size": 64,
    "rois_per_image": 64, "rpn_pre_nms_top_n": 50, "rpn_post_nms_top_n": 50, "box_score": 0.2,
}  # fmt: skip
TINY_RUN = RunConfig(
    model=ModelConfig(source="pyramid", pyramid=_PYRAMID),
    data=DataConfig(train="shapes:6:1", val="shapes:3:2", batch_size=2),
    recipe=Recipe(unfreeze_epoch=0, warmup_steps=2),
    trainer=TrainerConfig(accelerator="cpu", devices=1),
    epochs=2,
    checkpoint_every=2,
    probes=1,
)
"""Three steps of two scenes in each of two epochs."""


def status_of(pid: int = 0, **changes: object) -> RunStatus:
    """A run that is at work in a process; in this one by default."""
    now = time.time()
    own = RunStatus(
        RunState.RUNNING, 1, 3, 120, 300, 4.0, 45.0, pid or os.getpid(), process_started(pid or None),
        socket.gethostname(), now, now - 60,
    )  # fmt: skip
    return replace(own, **changes)  # pyright: ignore[reportArgumentType]


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """A process of its own that runs some Python, with its output in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
