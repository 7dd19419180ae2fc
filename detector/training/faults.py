"""What ended a run, in one sentence for people; the stack goes into the run's log."""

from __future__ import annotations

import errno
import re

import torch

_ORIGINAL = "Original Traceback"
_MISFIT = "Error(s) in loading state_dict for TrainingModule"
_CUT_OFF = (
    "closed by peer",
    "reset by peer",
    "Broken pipe",
    "NCCL communicator was aborted",
    "remote process exited",
)
_ELSEWHERE = "another process of this run ended; what it said stands above"


class RunFailed(ValueError):
    """A run failed for a reason that has a sentence of its own; the first error is its `__cause__`."""


def in_a_sentence(error: BaseException) -> str:
    """Why a run ended, for `status.json` and for the terminal."""
    if isinstance(error, torch.OutOfMemoryError):
        return "the device ran out of memory; take a smaller batch_size or smaller images, and resume"
    if is_cut_off(error):
        return _ELSEWHERE
    if _ORIGINAL in str(error):
        return _of_worker(str(error))
    if _MISFIT in str(error):
        return (
            "checkpoints/resume.ckpt does not fit this run: another version of Boxscope wrote it, or config.yaml "
            "was changed; begin a new run from checkpoints/last.safetensors instead"
        )
    if isinstance(error, OSError):
        return _of_system(error)
    text = " ".join(str(error).split())
    return text if text and _is_in_words(error) else f"{type(error).__name__}: {text}".removesuffix(": ")


def told(error: Exception) -> Exception:
    """The error itself, or a `RunFailed` in its place where that says it better."""
    if isinstance(error, ValueError | TypeError) and _ORIGINAL not in str(error):
        return error
    known = (
        isinstance(error, OSError | torch.OutOfMemoryError)
        or any(mark in str(error) for mark in (_ORIGINAL, _MISFIT))
        or _is_in_words(error)
        or is_cut_off(error)
    )
    return RunFailed(in_a_sentence(error)) if known else error


def is_cut_off(error: BaseException) -> bool:
    """Whether a process of a distributed run only lost the others: the reason is with one of them."""
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _CUT_OFF)


def _is_in_words(error: BaseException) -> bool:
    """Whether somebody wrote the message for people: a caller's mistake, or an exception of our own."""
    ours = type(error).__module__.startswith("detector.")
    return isinstance(error, ValueError | TypeError) or ours


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}the disk is full; what was saved is kept: free some space, then resume or begin anew"
    if error.errno == errno.EFBIG:
        return f"{where}the file is too large for the system; the last checkpoint is kept"
    return (
        f"{where}{error.strerror}" if error.strerror else " ".join(str(error).split()) or type(error).__name__
    )


def _of_worker(text: str) -> str:
    """A process that reads images hands on its whole stack; the error stands in the last line that names one."""
    lines = [line for line in text.strip().splitlines() if re.match(r"[A-Za-z_.]+(Error|Exception)\b", line)]
    kind, _, message = (lines[-1] if lines else text.strip().splitlines()[-1]).partition(": ")
    return message or kind
