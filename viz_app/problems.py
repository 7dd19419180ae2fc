"""One clear sentence in a box for whatever went wrong or deserves care; never a stack trace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from viz_app.visible import visible

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from detector.tracing.trace import Trace

_SYSTEM = re.compile(r"\[Errno -?\d+\] ([^:]+): '([^']+)'")  # as Python writes what the system refused
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:])")


def literal(text: str) -> str:
    """Text for a Markdown element, shown as it is: names of files and links may hold anything."""
    return _MARKDOWN.sub(r"\\\1", visible(" ".join(text.split())))


def as_sentence(problem: Exception | str) -> str:
    """A problem as a sentence, on one line and with a full stop; what it begins with may be a name."""
    text = _SYSTEM.sub(r"\2: \1", " ".join(str(problem).split()))
    return text if text.endswith((".", "!", "?")) else f"{text}."


def recorded_words(trace: Trace) -> str:
    """Where a trace came from, and what its sliders can do without the model; Markdown."""
    step = " in a training step" if trace.mode == "training" else ""
    place = f", image {trace.image_index + 1} of its batch" if trace.image_index else ""
    return (
        f"Opened from a file: recorded from *{literal(trace.detector)}*{step}{place}, whose code is not "
        "needed; the detector chosen above is not used. The RPN's sliders reach as far as the RoIs that were "
        "recorded."
    )


def show_problem(box: DeltaGenerator, problem: Exception | str) -> None:
    """A red box with the sentence of a problem."""
    box.error(literal(as_sentence(problem)), icon=":material/error:")


def show_notice(box: DeltaGenerator, sentence: str) -> None:
    """A yellow box with a sentence."""
    box.warning(literal(as_sentence(sentence)), icon=":material/warning:")
