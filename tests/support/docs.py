"""Writes what in docs/ is made from the code: `PYTHONPATH=tests python -m support.docs`.

docs/reference.md from docstrings and from the options of the commands, docs/benchmarks.md from
benchmarks/results/*.json, and the pictures of docs/explanation/how_faster_rcnn_works.md. The first two are cheap,
and a test compares them with what lies there.
"""

from __future__ import annotations

import inspect
import re
import sys
from argparse import Action
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path
from types import ModuleType
from typing import Any

import detector
import detector.data
from support.docs_benchmarks import benchmarks as benchmarks_of
from viz_app.cli import COMMANDS, build_parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE, BENCHMARKS, PICTURES = DOCS / "reference.md", DOCS / "benchmarks.md", DOCS / "pictures"
MODULES = (detector, detector.data)
_WIDE = 90
_SECTIONS = ("Args", "Returns", "Raises", "Yields")
_ENTRY = re.compile(r"^ {4}(\S[^:]*): (.*)$")
_REFERENCE_HEAD = """# Reference

The public names of `detector` and `detector.data`, and the options of the commands. Written from the docstrings and
the parsers by `PYTHONPATH=tests python -m support.docs`; a test compares. Shapes: `N` anchors, `R` RoIs, `K`
categories with background, `G` objects, `M` detections. Boxes are float xyxy, sizes (height, width).
"""


def public_names(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Name and object of everything public that can be called: no unions of types."""
    for name in module.__all__:
        one = getattr(module, name)
        if inspect.isclass(one) or inspect.isfunction(one):
            yield name, one


def public_members(one: type) -> Iterator[tuple[str, Any, str]]:
    """Name, function and kind (`method`, `class method` or `property`) of a class's own public members."""
    for name, member in vars(one).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield name, member.fget, "property"
        elif isinstance(member, classmethod | staticmethod):
            yield name, member.__func__, "class method"
        elif inspect.isfunction(member):
            yield name, member, "method"


def unexplained(one: Any) -> list[str]:
    """Parameters of a function or a record that its docstring does not name."""
    text = inspect.getdoc(one) or ""
    if isinstance(one, EnumType) or "Args:" not in text:
        return []
    given = [name for name in inspect.signature(one).parameters if name not in ("self", "cls")]
    return [name for name in given if not re.search(rf"\b{name}\b", text.split("Args:")[1])]


def signature(one: Any) -> str:
    """Parameters and what is returned, on one line or one parameter a line."""
    given = inspect.signature(one)
    parts: list[str] = []
    for parameter in given.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        if parameter.name not in ("self", "cls"):
            parts.append(_parameter(parameter))
    returned = _type(given.return_annotation)
    ending = f" -> {returned}" if returned not in ("", "None") else ""
    line = f"({', '.join(parts)}){ending}"
    return (
        line if len(line) <= _WIDE else "".join(["(\n", *(f"    {part},\n" for part in parts), f"){ending}"])
    )


def _parameter(parameter: inspect.Parameter) -> str:
    kind, default = _type(parameter.annotation), parameter.default
    told = f"{parameter.name}: {kind}" if kind else parameter.name
    if default is parameter.empty:
        return told
    return f"{told} = {'...' if repr(default) == '<factory>' else repr(default)}"


def _type(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def markdown(docstring: str) -> str:
    """A docstring with its sections as lists."""
    lines, out, section = docstring.splitlines(), [], ""
    for line in lines:
        if line.rstrip(":") in _SECTIONS and line.endswith(":"):
            section = line[:-1]
            out += [f"*{section}*", ""]
        elif section and (entry := _ENTRY.match(line)) and section != "Returns":
            out.append(f"- `{entry[1]}`: {entry[2]}")
        elif section and line.startswith("    "):
            out.append(f"  {line.strip()}" if section != "Returns" else line.strip())
        else:
            section = "" if line else section
            out.append(line)
    return "\n".join(out)


def reference() -> str:
    """All of docs/reference.md."""
    parts, seen = [_REFERENCE_HEAD], set()
    for module in MODULES:
        parts.append(f"## `{module.__name__}`\n\n{(inspect.getdoc(module) or '').splitlines()[0]}\n")
        for name, one in public_names(module):
            if one not in seen:
                parts += _named(name, one)
            seen.add(one)
    parts.append("## The command `boxscope`\n")
    parts += [_command(name) for name in COMMANDS]
    return "\n".join(parts)


def _named(name: str, one: Any) -> Iterator[str]:
    text = markdown(inspect.getdoc(one) or "")
    if isinstance(one, EnumType):
        yield f"### `{name}`\n\n{text}\n\nMembers: {', '.join(f'`{each.name}`' for each in one)}.\n"
        return
    yield f"### `{name}`\n\n```text\n{name}{signature(one)}\n```\n\n{text}\n"
    for own, member, kind in public_members(one) if inspect.isclass(one) else ():
        shown = f"{name}.{own}" if kind == "property" else f"{name}.{own}{signature(member)}"
        yield f"#### `{name}.{own}`\n\n```text\n{shown}\n```\n\n{markdown(inspect.getdoc(member) or '')}\n"


def _command(name: str) -> str:
    """One subcommand: its purpose and its options."""
    rows = [f"| `{_spelling(action)}` | {_cell(action.help or '')} |" for action in actions_of(name)]
    table = "\n".join(["| option | what it says |", "|---|---|", *rows])
    return f"### `boxscope {name}`\n\n{_capital(COMMANDS[name].summary)}.\n\n{table}\n"


def actions_of(name: str) -> list[Action]:
    """The options of a subcommand, as its parser has them, without --help."""
    table: Any = build_parser(name)._subcommands_action
    return [action for action in table._name_parser_map[name]._actions if action.dest != "help"]


def _spelling(action: Action) -> str:
    words = action.option_strings[-1] if action.option_strings else str(action.metavar or action.dest)
    return words.replace("|", r"\|")


def _cell(text: str) -> str:
    return " ".join(text.replace("%%", "%").replace("|", r"\|").split())


def benchmarks() -> str:
    """All of docs/benchmarks.md."""
    return benchmarks_of(ROOT / "benchmarks" / "results")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def write() -> None:
    """Write everything that lies in docs/ and is made here."""
    REFERENCE.write_text(reference(), encoding="utf-8")
    BENCHMARKS.write_text(benchmarks(), encoding="utf-8")
    if "--pictures" in sys.argv:
        from support.docs_pictures import draw

        draw(PICTURES)


if __name__ == "__main__":
    write()
