"""YAML from elsewhere: read whole, or refused in a sentence.

Only plain values (`yaml.SafeLoader`); no key twice, no aliases (a few lines of them stand for more values than a
machine can hold), and nothing nested deeper than settings are.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import ComposerError

_DEEPEST = 32


def parse_yaml(text: str) -> Any:  # noqa: ANN401 - whatever the text says
    """What a YAML text says, numbers such as `1e-4` included, and no key twice.

    Raises:
        ValueError: no YAML, a key twice, an alias, or nested too deep; it says the line.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ValueError(f"it is not YAML{where} ({problem[:200]})") from error


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, but `1e-4` is a number, as everybody means it."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node; raises ComposerError for an alias, and where nodes lie too deep in each other."""
        mark = self.peek_event().start_mark
        if self.check_event(yaml.events.AliasEvent):
            raise ComposerError(None, None, "aliases such as *name are not read", mark)
        if self._depth == _DEEPEST:
            raise ComposerError(None, None, f"nested deeper than {_DEEPEST}", mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises ConstructorError where a key comes twice."""
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"{key.value[:80]} comes twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)
