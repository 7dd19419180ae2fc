"""`config.yaml`: a run's settings written down whole, and read back without a loss or not at all.

A file may leave settings out, which then have their defaults; a key that does not exist or a value of another type
is refused in one sentence that names the key.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import yaml

from detector.data.mistakes import shown
from detector.data.plain_yaml import parse_yaml
from detector.data.sealed import replace_file
from detector.data.text_file import text_of
from detector.training.config import RunConfig
from detector.training.settings import settings

_LARGEST = 4 << 20
_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


def write_config(path: str | Path, config: RunConfig) -> None:
    """Write every setting of a run; the file is complete or not there.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(Path(path), config_text(config).encode())


def config_text(config: RunConfig) -> str:
    """Every setting as YAML; `config_of(parse_yaml(text))` gives the same settings back."""
    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False, width=100, allow_unicode=True)


def read_config(path: str | Path, changes: Mapping[str, str] | None = None) -> RunConfig:
    """The settings that a file holds.

    Args:
        path: the file.
        changes: settings that win over the file's, by dotted key, as texts: `{"recipe.lr": "1e-4"}`.

    Raises:
        ValueError: no such file, no YAML, an unknown key, a value of a wrong type or that cannot be; names the file
            and the key.
    """
    path = Path(path)
    try:
        content = parse_yaml(text_of(path, _LARGEST))
        if not isinstance(content, Mapping):
            raise ValueError(f"it holds {_shown(content)}; expected settings such as `epochs: 10`")
        read = config_of(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return changed(read, changes) if changes else read


def changed(config: RunConfig, changes: Mapping[str, str]) -> RunConfig:
    """The same settings but for some.

    Args:
        config: the settings.
        changes: YAML values by dotted key, such as `{"recipe.lr": "1e-4", "data.limit_train": "null"}`.

    Raises:
        ValueError: as `read_config`.
    """
    content = dataclasses.asdict(config)
    for key, text in changes.items():
        place, *names = content, *key.split(".")
        for name in names[:-1]:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ValueError(f"{key} is no setting: {name} is {_shown(place)}")
        place[names[-1]] = _read_change(key, text)
    return config_of(content)


def _read_change(key: str, text: str) -> Any:  # noqa: ANN401
    """The value that a text gives to `key`; a text stays as it is, whatever YAML would make of a path."""
    setting = next((one for one in settings() if one.key == key), None)
    if setting is not None and setting.is_text and text != "null":
        return text
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise ValueError(f"{key} is {text!r}; {error}") from error


def config_of(content: Mapping[str, Any]) -> RunConfig:
    """The settings that plain nested values describe; what is left out has its default.

    Raises:
        ValueError: an unknown key, a value of a wrong type or that cannot be; names the key.
    """
    return _record(RunConfig, content, "")


def _record(kind: type, content: object, at: str) -> Any:  # noqa: ANN401 - a record of that kind
    if not isinstance(content, Mapping):
        raise ValueError(f"{at} is {_shown(content)}; expected settings by name")
    hints = get_type_hints(kind)
    for name in content:
        if name not in hints:
            raise ValueError(_unknown(at, str(name), tuple(hints)))
    values = {name: _value(hints[name], value, _dotted(at, name)) for name, value in content.items()}
    try:
        return kind(**values)
    except ValueError as error:
        named = str(error).split(" ", 1)[0] in hints
        raise ValueError(f"{at}.{error}" if named and at else str(error)) from error


def _value(kind: Any, value: object, at: str) -> Any:  # noqa: ANN401
    """`value` as `kind` wants it; a whole number is a number, a list is a tuple, and nothing else is changed."""
    if dataclasses.is_dataclass(kind):
        return _record(cast(type, kind), value, at)
    if kind is Any:
        return value
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _either(parts, value, at)
    if origin is Literal and value in parts:
        return value
    if origin is tuple and isinstance(value, Sequence) and not isinstance(value, str):
        return _tuple(parts, value, at, kind)
    if origin is dict and isinstance(value, Mapping):
        return {str(name): inner for name, inner in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is kind:
        return value
    raise ValueError(f"{at} is {_shown(value)}; expected {_expected(kind)}")


def _either(parts: tuple[Any, ...], value: object, at: str) -> Any:  # noqa: ANN401
    for part in parts:
        try:
            return _value(part, value, at)
        except ValueError as error:
            if get_origin(part) is tuple and isinstance(value, list | tuple):
                raise error from None  # the mistake lies inside of the list
    raise ValueError(f"{at} is {_shown(value)}; expected {' or '.join(map(_expected, parts))}")


def _tuple(parts: tuple[Any, ...], value: Sequence[object], at: str, kind: object) -> tuple[Any, ...]:
    if parts[-1] is not Ellipsis and len(parts) != len(value):
        raise ValueError(f"{at} is {_shown(value)}; expected {_expected(kind)}")
    kinds = (parts[0],) * len(value) if parts[-1] is Ellipsis else parts
    return tuple(
        _value(part, one, f"{at}[{i}]") for i, (part, one) in enumerate(zip(kinds, value, strict=True))
    )


def _expected(kind: Any) -> str:  # noqa: ANN401
    """A type in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_expected, parts))
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin is tuple:
        one = _expected(parts[0]).removeprefix("a ")
        several = one.replace("list", "lists", 1) if one.startswith("list") else f"{one}s"
        return f"a list of {several}" if parts[-1] is Ellipsis else f"a list of {len(parts)} {several}"
    return _KINDS.get(kind, "settings by name")


def _unknown(at: str, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {_dotted(at, near[0])}?" if near else f"there are {', '.join(known)}"
    return f"there is no setting {_dotted(at, name)}; {remedy}"


def _dotted(at: str, name: object) -> str:
    return f"{at}.{name}" if at else str(name)


def _shown(value: object) -> str:
    return "nothing" if value is None else shown(value)
