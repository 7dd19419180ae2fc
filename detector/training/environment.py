"""What a run ran on, for whoever wants to repeat it: `environment.txt`. No environment variables and no arguments:
those may hold secrets."""

from __future__ import annotations

import os
import platform
import socket
import time
from importlib.metadata import PackageNotFoundError, version

import psutil
import torch

_PACKAGES = (
    "boxscope", "torch", "torchvision", "lightning", "numpy", "pillow", "safetensors", "pycocotools",
    "faster-coco-eval", "optuna", "jsonargparse",
)  # fmt: skip
_GIB = 1024**3


def environment_text() -> str:
    """A line for each fact: time, machine, devices, Python, packages."""
    facts = {
        "written": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "host": socket.gethostname(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / _GIB:.1f} GiB",
        "devices": _devices(),
        "torch threads": str(torch.get_num_threads()),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }
    return "".join(f"{name}: {value}\n" for name, value in facts.items())


def _devices() -> str:
    if not torch.cuda.is_available():
        return "cpu"
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{', '.join(names)} (CUDA {torch.version.cuda})"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
