"""docs/robustness.md: every row of every table names tests that there are."""

import ast
import re
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_PAGE = _TESTS.parent / "docs" / "robustness.md"
_NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def _rows() -> list[list[str]]:
    lines = [line for line in _PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in rows if row[0] != "case"]


def _functions(name: str) -> set[str]:
    tree = ast.parse((_TESTS / name).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0][:60])
def test_every_row_names_tests_that_there_are(row: list[str]) -> None:
    assert len(row) == 3 and all(row), "case | what happens | test"
    named = _NAMED.findall(row[2])
    assert named, f"{row[2]} names no test as `test_file.py::test_name`"
    for file, function in named:
        assert function in _functions(file), f"{file} has no {function}"


def test_no_case_stands_twice() -> None:
    cases = [row[0] for row in _rows()]
    assert len(cases) == len(set(cases))
