"""Folders of slim traces: `NAME/image_0.trace`, `image_1.trace`, ...; each folder is complete or not there.

A slim trace opens as any other, without the model's code, and replays and diagnoses under its own thresholds and
under any others of the box filter. Left out are the feature maps and what RoIAlign pooled;
of the network's input only its size is kept: `input.tensor` is [0, h', w'] in the file, and zeros when it is read
here. Embeddings lose half of their digits.

Sizes of a file: 1.4 MB for the bundled detector at 256 px, 13 MB for ResNet-50 FPN at 800 x 1,066 px; the trace of
a training step takes twice that.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from detector.data.leftovers import temporary_beside
from detector.tracing.trace_file import load_trace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from detector.tracing.trace import Trace

_FILE = "image_{}.trace"
_NUMBER = re.compile(r"image_(\d+)\.trace")


def slim(trace: Trace, *, embedding: bool = True) -> Trace:
    """A copy without what only looking into the backbone needs; `embedding` goes, too, where it is not wanted."""
    tensor, vectors = trace.input.tensor, trace.head.embedding
    vectors = vectors.half() if vectors is not None and embedding else None
    return replace(
        trace,
        input=replace(trace.input, tensor=tensor[:0]),
        head=replace(trace.head, embedding=vectors, features=None),
    )


def keep_traces(folder: Path, traces: Iterable[Trace]) -> None:
    """Write slim traces as a folder; one of that name is replaced.

    Raises:
        OSError: it cannot be written; then nothing is left of it.
    """
    fresh = temporary_beside(folder)
    try:
        fresh.parent.mkdir(exist_ok=True)  # but not a run's own folder, where somebody has deleted it
        fresh.mkdir()
        for index, trace in enumerate(traces):
            trace.save(fresh / _FILE.format(index), features=False)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def kept_images(folder: Path) -> list[int]:
    """Numbers of the images in a folder, in order."""
    if not folder.is_dir():
        return []
    found = (_NUMBER.fullmatch(entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)


def kept_trace(folder: Path, image: int) -> Trace:
    """One image of a folder.

    Raises:
        ValueError: there is no such file, or it is damaged.
    """
    trace = load_trace(folder / _FILE.format(image))
    height, width = trace.input.tensor.shape[-2:]
    return replace(trace, input=replace(trace.input, tensor=torch.zeros(()).expand(3, height, width)))


def numbered(folder: Path, prefix: str) -> list[int]:
    """Numbers of the folders that are called by a prefix and a number, in order."""
    if not folder.is_dir():
        return []
    found = (re.fullmatch(re.escape(prefix) + r"(\d+)", entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)
