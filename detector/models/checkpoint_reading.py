"""Reading a checkpoint of any kind from disk, running nothing that it holds.

Kinds are told by content, not by name: safetensors, and what `torch.save` writes (a zip archive, before
torch 1.6 a plain pickle). The file is read once, as a whole: nothing changes under us while it is parsed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import re
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from detector.data.plain_file import read_plain
from detector.data.sealed import KIND_KEY, read_sealed

CHECKPOINT_KIND = "checkpoint"
MAX_BYTES = 4_000_000_000
"""Of a file; the largest detector of torchvision has 180 MB, with its optimizer's state three times as much."""
_STATE_KEYS = ("state_dict", "model", "model_state_dict")
_TAR_MAGIC = slice(257, 262)
_PIECE = 1 << 20
# torch keeps its list of safe globals per process: two loads at once would undo each other's.
_SAFE_GLOBALS = threading.Lock()


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """What a checkpoint file holds, not yet judged.

    Args:
        path: where it lies.
        sha256: hex digest of the file's bytes.
        state: the state dict as it was saved.
        entries: header entries of our own format; empty for any other file.
        beside: what a training script saved beside the state dict, by name.
    """

    path: Path
    sha256: str
    state: Mapping[str, object]
    entries: Mapping[str, str]
    beside: Mapping[str, object]


def read_checkpoint_file(path: Path) -> CheckpointFile:
    """Read a checkpoint file.

    Raises:
        ValueError: no such file, empty, damaged, of another kind, a pickle that needs code, or one of our own
            whose checksum does not fit. The sentence goes on from the name of the file.
    """
    data = _read_bytes(path)
    if data[:4] == b"PK\3\4" or _is_bare_pickle(data):
        content = _unpickle(data)
        state, beside, entries = *_find_state(content), {}
    elif data[_TAR_MAGIC] == b"ustar":
        raise ValueError("a tar archive is not a checkpoint; unpack it and give the file inside")
    elif data[8:9] != b"{":
        raise ValueError("not a checkpoint; expected safetensors, or what torch.save writes")
    else:
        sealed = read_sealed(data)
        state, entries, beside = sealed.tensors, sealed.entries, {}
        if entries and entries.get(KIND_KEY) != CHECKPOINT_KIND:
            raise ValueError(f"it is a {entries.get(KIND_KEY)}, not a checkpoint")
    return CheckpointFile(path, hashlib.sha256(data).hexdigest(), state, entries, beside)


def _is_bare_pickle(data: bytes) -> bool:
    """Whether it begins as pickles do; the length of a safetensors header may begin so, too (one in 32 does)."""
    return data[:1] == b"\x80" and int.from_bytes(data[:8], "little") > len(data)


def _read_bytes(path: Path) -> bytes:
    data = read_plain(path, at_most=MAX_BYTES, remedy="save model.state_dict() alone")
    if not data:
        raise ValueError("the file is empty; fetch or save it again")
    return data


def _unpickle(data: bytes) -> object:
    if data[:2] == b"PK":
        _check_archive(data)
    try:
        with _SAFE_GLOBALS, torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        needed = re.search(r"GLOBAL (\S+)", str(error))
        if needed:
            raise ValueError(
                f"loading it would run {needed[1]}, which is refused; save model.state_dict() alone"
            ) from error
        raise ValueError("the pickle is damaged, or holds more than tensors and plain values") from error
    except Exception as error:  # torch's reader fails in many ways on a damaged file
        raise _damaged(error) from error


def _check_archive(data: bytes) -> None:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # a damaged list of entries fails in many ways
        raise _damaged(error) from error
    with archive:
        _check_members(archive.infolist())
        changed = _first_changed(archive)
    if changed:
        raise ValueError(f"the file is damaged ({changed} does not fit its checksum); fetch it again")


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if any(member.filename.endswith("/constants.pkl") for member in members):
        raise ValueError("a TorchScript archive holds code; save model.state_dict() instead")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("a compressed zip archive is not a checkpoint (torch.save never compresses)")


def _first_changed(archive: zipfile.ZipFile) -> str:
    """The first entry whose bytes do not fit its checksum, which torch itself does not look at; else nothing."""
    for member in archive.infolist():
        if not member.CRC:  # torch was told not to write any (`set_crc32_options`), or the entry is empty
            continue
        try:
            with archive.open(member) as file:
                while file.read(_PIECE):
                    pass
        except Exception:  # an entry that lies about its length or its place fails in many ways
            return member.filename
    return ""


def _damaged(error: Exception) -> ValueError:
    first_line = next(iter(str(error).splitlines()), type(error).__name__)
    return ValueError(f"the file is damaged or half-written ({first_line}); fetch or save it again")


def _find_state(content: object) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """The state dict, and what lay beside it."""
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}; expected a state dict")
    names = [name for name in _STATE_KEYS if isinstance(content.get(name), Mapping)]
    state = content[names[0]] if names else content
    if not all(isinstance(name, str) for name in state):
        raise ValueError("its keys are not names; expected a state dict")
    return state, {str(name): value for name, value in content.items() if name not in names} if names else {}
