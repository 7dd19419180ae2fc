"""Our own checkpoint file: safetensors, with a header that says what it holds and a checksum over it all.

The header's entries are strings: `boxscope` (format version), `family`, `config`, `categories` and
`metadata` (JSON), `sha256` (over the entries before it and every tensor's name, type, shape and bytes).
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

FORMAT_KEY = "boxscope"
FORMAT_VERSION = "1"
CHECKSUM_KEY = "sha256"


def write_checkpoint_file(path: Path, state: Mapping[str, Tensor], entries: Mapping[str, str]) -> str:
    """Write tensors and header entries under `path`; complete or not at all.

    Args:
        path: the file to write or replace; its folder must exist.
        state: tensors by name.
        entries: the header, without format version and checksum.

    Returns:
        The checksum written into the header.

    Raises:
        ValueError: the folder does not exist.
        OSError: the file cannot be written; what was there before is left as it was.
    """
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    header = {FORMAT_KEY: FORMAT_VERSION, **entries}
    header[CHECKSUM_KEY] = checksum(tensors, header)
    _replace_file(path, safetensors.torch.save(tensors, metadata=header))
    return header[CHECKSUM_KEY]


def checksum(tensors: Mapping[str, Tensor], entries: Mapping[str, str]) -> str:
    """SHA-256 hex digest over tensors and header entries; the order of neither matters."""
    digest = hashlib.sha256()
    for name in sorted(set(entries) - {CHECKSUM_KEY}):
        digest.update(f"{name}\0{entries[name]}\0".encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _replace_file(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
