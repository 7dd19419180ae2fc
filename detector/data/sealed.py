"""Our own file: safetensors with a header that says what it holds, and a checksum over it all.

Checkpoints and traces are such files. The header's entries are strings; beside the caller's there are `boxscope`
(format version), `kind` (what the file is) and `sha256` (over the other entries and every tensor's name, type,
shape and bytes). Reading runs no code that the file holds.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from detector.data.leftovers import temporary_beside

FORMAT_KEY = "boxscope"
FORMAT_VERSION = "1"
KIND_KEY = "kind"
CHECKSUM_KEY = "sha256"


@dataclass(frozen=True, slots=True, eq=False)
class Sealed:
    """What a safetensors file holds.

    Args:
        tensors: by name.
        entries: header entries; empty where the file is not one of ours.
    """

    tensors: Mapping[str, Tensor]
    entries: Mapping[str, str]


def write_sealed(path: Path, kind: str, tensors: Mapping[str, Tensor], entries: Mapping[str, str]) -> str:
    """Write tensors and header entries under `path`; complete or not at all.

    Args:
        path: the file to write or replace; its folder must exist.
        kind: what the file is, such as `checkpoint`.
        tensors: by name.
        entries: the header, without version, kind and checksum.

    Returns:
        The checksum written into the header.

    Raises:
        ValueError: the folder does not exist.
        OSError: the file cannot be written; what was there before is left as it was.
    """
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")
    # Tensors that share storage are refused by safetensors: each gets its own.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    header = {FORMAT_KEY: FORMAT_VERSION, KIND_KEY: kind, **entries}
    header[CHECKSUM_KEY] = checksum(own, header)
    replace_file(path, safetensors.torch.save(own, metadata=header))
    return header[CHECKSUM_KEY]


def read_sealed(data: bytes) -> Sealed:
    """Parse the bytes of a safetensors file; one of ours is checked against its checksum.

    Raises:
        ValueError: not safetensors, damaged, of another version, or changed. The sentence goes on from the
            name of the file.
    """
    if data[8:9] != b"{":
        raise ValueError("it is not a safetensors file, as Boxscope writes them; make it again")
    try:
        tensors = safetensors.torch.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except Exception as error:  # a lying header fails in many ways
        why = " ".join(str(error).split())
        raise ValueError(
            f"the safetensors file is damaged or half-written ({why}); fetch or save it again"
        ) from error
    entries = header.get("__metadata__", {})
    if FORMAT_KEY not in entries:
        return Sealed(tensors, {})
    if entries[FORMAT_KEY] != FORMAT_VERSION:
        raise ValueError(
            f"its format version is {entries[FORMAT_KEY]!r}; this Boxscope reads {FORMAT_VERSION!r}"
        )
    if checksum(tensors, entries) != entries.get(CHECKSUM_KEY):
        raise ValueError(
            "its contents do not fit its SHA-256: the file was changed or damaged; fetch it again"
        )
    return Sealed(tensors, entries)


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


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under another name, flush it to disk, and rename it: complete or not at all.

    Raises:
        OSError: it cannot be written; names the file that was asked for.
    """
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # people know the file, not the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
