"""The sizes of DESIGN section 7: files stay short, and so do functions."""

import ast
import statistics
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_LINES, _MEDIAN = 300, 12


def _python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (_ROOT / folder).rglob("*.py")]


def test_no_file_is_long() -> None:
    files = _python_files("detector", "viz_app", "tests", "benchmarks", ".ci")
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > _LINES} == {}


@pytest.mark.parametrize("folder", ["detector", "viz_app"])
def test_most_functions_are_small(folder: str) -> None:
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in _python_files(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    ]
    assert len(lengths) > 1000
    assert statistics.median(lengths) <= _MEDIAN
