"""The report about vulnerabilities: silence of the service must not read as good news."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module  # where its dataclass looks for its annotations
    spec.loader.exec_module(module)
    return module


def _answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
UNKNOWN = {
    "name": "torch",
    "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.14.1)",
}
FLAWED = {
    "name": "pillow",
    "version": "13.0.0",
    "vulns": [{"id": "CVE-1", "fix_versions": ["13.0.1"]}, {"id": "CVE-2", "fix_versions": []}],
}


def test_a_vulnerability_is_a_row(audit: ModuleType) -> None:
    table = audit.report(audit.read_audit(_answer(CLEAN, FLAWED))).splitlines()
    assert [line.split() for line in table[1:3]] == [
        ["pillow", "13.0.0", "CVE-1", "13.0.1"], ["pillow", "13.0.0", "CVE-2", "-"]
    ]  # fmt: skip
    assert table[-1] == "audit: 2 known vulnerabilities in 2 packages"


def test_packages_that_the_service_does_not_know_are_counted(audit: ModuleType) -> None:
    said = audit.report(audit.read_audit(_answer(CLEAN, UNKNOWN)))
    assert said == "audit: 0 known vulnerabilities in 1 packages; 1 could not be asked about: torch"


def test_a_service_that_knows_nothing_is_no_good_news(audit: ModuleType) -> None:
    said = audit.report(audit.read_audit(_answer(*[UNKNOWN] * 121)))
    assert said == "audit: the vulnerability service could not be asked about any of 121 packages"


@pytest.mark.parametrize("answer", ["", "{}", "No known vulnerabilities found", '{"dependencies": 3}'])
def test_anything_else_is_no_answer(
    audit: ModuleType, answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A real process in place of pip-audit: it prints the answer and fails."""
    (tmp_path / "pip_audit.py").write_text(f"import sys; print({answer!r}); sys.exit('no service')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert audit.main() == "audit: the vulnerability service could not be asked (no service)"


def test_a_service_that_never_answers_is_left(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pip_audit.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert audit.main(seconds=0.5) == "audit: the vulnerability service could not be asked within 0.5 s"
