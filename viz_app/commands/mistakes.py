"""A caller's mistake as one line: what was given, what is expected, and where to read on."""

from __future__ import annotations

import re

_RULES = (
    (
        r'Parser key "(?P<name>\w+)": Expected an? (?P<kind>\w+)\. Got value: (?P<given>.*)',
        lambda m: f"--{m['name']} is {m['given']!r}; expected {_KINDS.get(m['kind'], m['kind'])}",
    ),
    (
        r"the following arguments are required: \w+\.(?P<name>\w+)",
        lambda m: f"{_named(m['name'])} is missing",
    ),
    (
        r"argument --box: expected one argument",
        lambda _: (
            "--box needs its four numbers without spaces, and = where the first is negative, such as "
            "--box=-4,30,40,61"
        ),
    ),
    (
        r"unrecognized arguments: (?P<given>.*)",
        lambda m: f"{m['given']} is not understood: there is no such option, or it is one argument too many",
    ),
)
# The name of a file may hold what moves a terminal's cursor, or turns the direction of its text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_KINDS = {"int": "a whole number", "float": "a number"}
_POSITIONAL = {
    "image": "IMAGE",
    "dataset": "DATASET",
    "run": "RUN",
    "first": "A",
    "second": "B",
    "subject": "SUBJECT",
}


def one_line(mistake: Exception, command: str | None = None) -> str:
    """The mistake as a person reads it: no line breaks, nothing of the parser's own words, no control characters.

    Args:
        mistake: raised by the parser or by a subcommand.
        command: the subcommand whose options were being read, whose help is then named; None otherwise.
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], _sentence(mistake, command))


def _sentence(mistake: Exception, command: str | None) -> str:
    text = " ".join(str(mistake).split())
    if isinstance(mistake, OSError) and mistake.filename is not None and mistake.strerror:
        return f"{' '.join(str(mistake.filename2 or mistake.filename).split())}: {mistake.strerror.lower()}"
    if isinstance(mistake, OSError) and mistake.strerror:
        return mistake.strerror.lower()
    said = re.sub(r"<class '([\w.]+)'>", r"\1", text)
    for pattern, words in _RULES:
        if found := re.fullmatch(pattern, said):
            said = words(found)
            break
    return said if command is None else f"{said} (`boxscope {command} --help` lists what there is)"


def _named(name: str) -> str:
    """A required argument as the usage line writes it."""
    return _POSITIONAL.get(name, f"--{name}")
