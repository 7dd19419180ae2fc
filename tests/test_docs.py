"""The documents say what is so: links lead somewhere, code runs, commands exist, shown outputs are real."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.docs import (
    BENCHMARKS,
    MODULES,
    REFERENCE,
    ROOT,
    benchmarks,
    public_members,
    public_names,
    reference,
    unexplained,
)
from support.docs_pictures import STAGES
from support.docs_reading import DOCUMENTS, Command, anchors_of, blocks, commands, links
from support.docs_workplace import given_names, make_workplace

from viz_app import login
from viz_app.cli import COMMANDS, build_parser, run

NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
RUN_AS_THEY_ARE = {"why", "show", "trace", "doctor", "runs"}
RUN_ON_LESS = {"evaluate", "compare"}
SCENES = "shapes:3:2"
FOUND_ERRORS = 1


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workplace")
    make_workplace(folder)
    return folder


@cache
def parser_of(name: str) -> Any:
    return build_parser(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_to_a_file_and_a_heading(name: str) -> None:
    for link in links(ROOT / name):
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        assert target.exists(), f"{name}: {link} leads nowhere"
        assert not anchor or anchor in anchors_of(target), f"{name}: {link} names no heading"


@pytest.mark.parametrize("name", [name for name in NAMES if blocks(ROOT / name)])
def test_the_examples_run_in_their_order(
    name: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("BOXSCOPE_WORKSPACE", str(workplace / "workspace"))
    names = {"__name__": "example", **given_names()}
    for block in blocks(ROOT / name):
        if block.language == "toml":
            _check_secrets(block.text, monkeypatch)
        elif block.language == "python":
            exec(compile(block.text, name, "exec"), names)
            for test in re.findall(r"^def (test_\w+)", block.text, re.MULTILINE):
                names[test]()
        for command in commands(block):
            _check(command, capsys)


def _check_secrets(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are a whole login, with somebody on the list, where Authlib is installed."""
    monkeypatch.setattr(login, "find_spec", lambda name: name)
    read = login.read_login(tomllib.loads(text), {})
    assert read is not None and read.people


def _check(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """The command is one, its options exist, and where it is cheap it does what the document shows."""
    assert command.words[0] in COMMANDS
    parser_of(command.words[0]).parse_args(command.words)
    words = command.words
    if words[0] in RUN_ON_LESS:
        words = [re.sub(r"^shapes:\d+:\d+$", SCENES, word) for word in words]
    elif words[0] not in RUN_AS_THEY_ARE:
        return
    capsys.readouterr()
    status = run(words)
    said, complained = capsys.readouterr()
    assert status == 0 or (words[0] == "doctor" and status == FOUND_ERRORS), complained
    if command.target:
        Path(command.target).write_text(said)
    if words[0] in RUN_AS_THEY_ARE:
        _assert_shown(command.shown, said.splitlines())


def _assert_shown(shown: list[str], said: list[str]) -> None:
    """The shown lines come in this order; only where `...` stands may others lie between."""
    places, start = [], 0
    for line in shown:
        if line.strip() != "...":
            assert line in said[start:], f"it does not say {line!r}"
            start = said.index(line, start) + 1
        places.append(None if line.strip() == "..." else start)
    for before, after in pairwise(places):
        assert before is None or after is None or after == before + 1, (
            f"before {shown[places.index(after)]!r}"
        )


@pytest.mark.parametrize(("file", "made"), [(REFERENCE, reference), (BENCHMARKS, benchmarks)])
def test_what_is_written_from_the_code_is_up_to_date(file: Path, made: Any) -> None:
    assert file.read_text(encoding="utf-8") == made(), "PYTHONPATH=tests python -m support.docs"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_explained_with_all_that_it_takes(module: Any) -> None:
    for name, one in public_names(module):
        assert one.__doc__, f"{name} has no docstring"
        assert not unexplained(one), f"{name} does not explain {unexplained(one)}"
        for own, member, _ in public_members(one) if isinstance(one, type) else ():
            assert member.__doc__, f"{name}.{own} has no docstring"
            assert not unexplained(member), f"{name}.{own} does not explain {unexplained(member)}"


def test_every_page_is_in_the_navigation_and_every_stage_has_its_picture() -> None:
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert named == {name.removeprefix("docs/") for name in NAMES if name.startswith("docs/")}
    text = (ROOT / "docs/explanation/how_faster_rcnn_works.md").read_text(encoding="utf-8")
    assert {f"stage_{name}.jpg" for name in STAGES} == set(re.findall(r"stage_\w+\.jpg", text))
