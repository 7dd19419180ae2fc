"""A caller's mistake as one line: what was given, what is expected, and where to read on."""

from __future__ import annotations

import errno
import re

from viz_app.visible import visible

_RULES = (
    (
        r'Parser key "(?P<name>\w+)": Expected an? (?P<kind>\w+)\. Got value: ?(?P<given>.*)',
        lambda m: f"--{m['name']} is {m['given']!r}; expected {_KINDS.get(m['kind'], m['kind'])}",
    ),
    (
        r"the following arguments are required: (?P<names>.*)",
        lambda m: _missing([in_usage(name.rpartition(".")[2]) for name in m["names"].split(", ")]),
    ),
    (
        r"argument (?P<name>\S+): invalid choice: (?P<given>.*) \(choose from (?P<known>.*)\)",
        lambda m: f"{m['name']} is {m['given']}; expected one of {m['known'].replace(chr(39), '')}",
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
_KINDS = {"int": "a whole number", "float": "a number"}
_REMEDIES = {
    errno.EACCES: "see to its permissions, or choose another place",
    errno.EPERM: "see to its permissions, or choose another place",
    errno.EROFS: "choose another place",
    errno.ENOSPC: "free some space, or choose another place",
    errno.ENOTDIR: "a part of this path is a file; choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
}
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
    return visible(" ".join(_sentence(mistake, command).split()))


def _sentence(mistake: Exception, command: str | None) -> str:
    text = " ".join(str(mistake).split())
    if isinstance(mistake, OSError) and mistake.filename is not None and mistake.strerror:
        return f"{mistake.filename2 or mistake.filename}: {_reason(mistake)}"
    if isinstance(mistake, OSError) and mistake.strerror:
        return _reason(mistake)
    said = re.sub(r"<class '([\w.]+)'>", r"\1", text)
    for pattern, words in _RULES:
        if found := re.fullmatch(pattern, said):
            said = words(found)
            break
    return said if command is None else f"{said} (`boxscope {command} --help` lists what there is)"


def _reason(mistake: OSError) -> str:
    """What the system says, and what to do about it where that is known."""
    said, remedy = (mistake.strerror or "").lower(), _REMEDIES.get(mistake.errno or 0)
    return f"{said}; {remedy}" if remedy else said


def _missing(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"


def in_usage(name: str) -> str:
    """A required argument as the usage line writes it, such as `IMAGE` or `--out`."""
    return _POSITIONAL.get(name, f"--{name}")
