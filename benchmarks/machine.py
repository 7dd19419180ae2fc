"""On what was measured: machine and versions, kept with every result."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

PACKAGES = ("torch", "torchvision", "numpy", "pycocotools", "faster-coco-eval", "streamlit", "torchlens")


def machine() -> dict[str, str | int | float]:
    """Cores, memory, processor, device, and the versions of Python and of the packages that are here."""
    return {
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "machine": platform.machine(),
        "processor": processor(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := version_of(name))},
    }


def processor(listing: Path = Path("/proc/cpuinfo")) -> str:
    """The name that the processor gives itself; empty where it gives none."""
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def version_of(package: str) -> str:
    """Of an installed package; empty if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
