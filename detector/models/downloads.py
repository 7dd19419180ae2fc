"""Weights that torchvision publishes, from torch hub's cache or from the network."""

from __future__ import annotations

import hashlib
import re
import sys
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models._api import WeightsEnum

from detector.data.leftovers import temporary_beside
from detector.models.published import published_name

Progress = Callable[[int, int | None], None]
"""Told, again and again, how many bytes have come and of how many (None where the server does not say)."""

_WAIT_SECONDS = 20
_BLOCK = 2**18
_MEGABYTE = 1e6


def fetch_weights(weights: WeightsEnum, progress: Progress | None = None) -> dict[str, Tensor]:
    """The state dict of torchvision's own weights: from torch hub's cache, else downloaded.

    torchvision's builders read the cache with a full unpickler; reading it here first, as tensors only,
    leaves them nothing to run.

    Args:
        weights: a member of one of torchvision's enums.
        progress: see `download_weights`.

    Raises:
        ValueError: as `download_weights`, or damaged in the cache; names file and folder.
    """
    cached = download_weights(weights, progress)
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # the disk and the unpickler each have their own
        raise ValueError(f"{cached} is damaged or holds code; delete it, and it is fetched again") from error


def download_weights(weights: WeightsEnum, progress: Progress | None = None) -> Path:
    """Bring a file of torchvision's into torch hub's cache, unless it lies there: whole, or not at all.

    Args:
        weights: a member of one of torchvision's enums.
        progress: called with every piece that comes; None writes a line on the terminal. What it raises ends
            the download.

    Returns:
        Where the file lies.

    Raises:
        ValueError: it cannot be downloaded, broke off, or is another file than its name says.
    """
    cached = cached_file(weights)
    if not cached.exists():
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            _download(str(weights.url), cached, progress or _on_the_terminal)
        except (OSError, HTTPException) as error:
            raise ValueError(f"{_offline(cached)} ({error})") from error
    return cached


def cached_file(weights: WeightsEnum) -> Path:
    """Where torch hub keeps these weights."""
    return Path(torch.hub.get_dir()) / "checkpoints" / published_name(weights)


def amount_in_words(came: int, total: int | None) -> str:
    """`12.3 of 77.8 MB (15%)`, or `12.3 MB` where the total is not known."""
    if not total:
        return f"{came / _MEGABYTE:.1f} MB"
    return f"{came / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB ({100 * came // total}%)"


def _download(url: str, path: Path, progress: Progress) -> None:
    """Into a file of another name, checked and then renamed.

    torch's own download has no time limit, and waits for a dead network without end.
    """
    temporary = temporary_beside(path)
    digest, came = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=_WAIT_SECONDS) as answer, temporary.open("xb") as file:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            while block := answer.read(_BLOCK):
                file.write(block)
                digest.update(block)
                came += len(block)
                progress(came, total)
        _check(path.name, came, total, digest.hexdigest())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _check(name: str, came: int, total: int | None, sha256: str) -> None:
    if total is not None and came < total:
        raise ValueError(f"the download of {name} broke off after {amount_in_words(came, total)}; try again")
    named = re.search(r"-([0-9a-f]{8,})\.pth$", name)
    if named and not sha256.startswith(named[1]):
        raise ValueError(
            f"what came as {name} is another file (its SHA-256 does not fit its name); a network that asks to "
            "log in may have answered instead"
        )


def _on_the_terminal(came: int, total: int | None) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\rDownloading weights: {amount_in_words(came, total)}" + "\n" * (came == total))
        sys.stderr.flush()


def _offline(cached: Path) -> str:
    return (
        f"the weights {cached.name} are not in the cache and cannot be downloaded; put the file into "
        f"{cached.parent}, or go on without pretrained weights"
    )
