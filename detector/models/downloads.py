"""Weights that torchvision publishes, from torch hub's cache or from the network."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models._api import WeightsEnum

from detector.models.published import published_name

_PROBE_SECONDS = 20


def fetch_weights(weights: WeightsEnum) -> dict[str, Tensor]:
    """The state dict of torchvision's own weights: from torch hub's cache, else downloaded with progress.

    torchvision's builders read the cache with a full unpickler; reading it here first, as tensors only,
    leaves them nothing to run.

    Raises:
        ValueError: neither in the cache nor to be downloaded, or damaged in the cache; names file and folder.
    """
    cached = cached_file(weights)
    if not cached.exists():
        _probe(weights, cached)
    try:
        return weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as error:  # the network, the disk and the unpickler each have their own
        if not cached.exists():
            raise ValueError(f"{_offline(cached)} ({error})") from error
        raise ValueError(f"{cached} is damaged or holds code; delete it, and it is fetched again") from error


def cached_file(weights: WeightsEnum) -> Path:
    """Where torch hub keeps these weights."""
    return Path(torch.hub.get_dir()) / "checkpoints" / published_name(weights)


def _probe(weights: WeightsEnum, cached: Path) -> None:
    """Ask for the file's header first: torch's own download would wait for a dead network without end."""
    request = urllib.request.Request(weights.url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()
    except (urllib.error.URLError, OSError) as error:
        raise ValueError(f"{_offline(cached)} ({error})") from error


def _offline(cached: Path) -> str:
    return (
        f"the weights {cached.name} are not in the cache and cannot be downloaded; put the file into "
        f"{cached.parent}, or go on without pretrained weights"
    )
