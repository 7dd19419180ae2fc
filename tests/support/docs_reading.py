"""What a Markdown document of the project holds: links, anchors, code blocks, commands and their shown outputs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.docs import DOCS, ROOT

DOCUMENTS = (
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted(DOCS.rglob("*.md")),
)
"""Every document that people read."""
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_INDENTED = re.compile(r"(?:^|\n)\n((?: {4}\S.*\n)+)")
SHELLS = ("sh", "bash", "console", "")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Args:
        language: the word after the fence, or nothing.
        text: without the fence and its indentation.
    """

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A line that calls `boxscope`.

    Args:
        words: after the name of the command.
        target: the file that its output goes to, or nothing.
        shown: the lines of its output that the document shows; `...` stands for any lines.
    """

    words: list[str]
    target: str
    shown: list[str]


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a document in order, and then its indented ones."""
    found = _FENCE.findall(path.read_text(encoding="utf-8"))
    fenced = [Block(language, _without(indent, text)) for indent, language, text in found]
    return fenced + [Block("", _without("    ", text)) for text in _INDENTED.findall(prose(path))]


def _without(indent: str, text: str) -> str:
    return re.sub(f"^{indent}", "", text, flags=re.MULTILINE)


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def links(path: Path) -> list[str]:
    """Targets of all links and pictures that lead into the repository."""
    return [target for target in _LINK.findall(prose(path)) if not re.match(r"https?:|mailto:", target)]


def anchors_of(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub and MkDocs make them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose(path))
    }


def commands(block: Block) -> Iterator[Command]:
    """The lines of a shell block that call `boxscope`."""
    for line in block.text.replace("\\\n", " ").splitlines() if block.language in SHELLS else ():
        call = re.match(r"(?:\$ )?(?:srun )?boxscope (\w.*)", line)
        if call:
            words = shlex.split(call[1], comments=True)
            target = words[-1] if words[-2:-1] == [">"] else ""
            yield Command(words[:-2] if target else words, target, _shown(block, line))


def _shown(block: Block, line: str) -> list[str]:
    """The lines below a command with a prompt, up to the next one."""
    if not line.startswith("$ "):
        return []
    below = block.text.partition(f"{line}\n")[2]
    return re.split(r"^\$ ", below, maxsplit=1, flags=re.MULTILINE)[0].splitlines()
