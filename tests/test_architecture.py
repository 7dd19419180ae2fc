"""The direction of imports (DESIGN section 2), as written and as it happens at run time."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

INSPECTION = ("detector", "detector.models", "detector.data", "detector.tracing", "detector.explaining")
# Importing each costs seconds, or draws where nothing may be drawn.
FOREIGN_TO_INSPECTION = {"lightning", "pytorch_lightning", "optuna", "streamlit", "plotly"}
FOREIGN_TO_THE_COMMAND = FOREIGN_TO_INSPECTION | {"torch", "torchvision", "cv2", "pandas"}


def _imported_by(statement: str) -> set[str]:
    """Top-level names that a fresh interpreter has imported after `statement`."""
    script = f"import sys\n{statement}\nprint('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(shown.stdout.split())


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_looking_at_a_detector_costs_no_training_library_and_no_picture() -> None:
    """All in one fresh interpreter: what any of them imports stays imported.

    Names may be loaded when they are first asked for; asking for them all is the honest test.
    """
    asked = [*(f"import {package}" for package in INSPECTION), "for name in detector.__all__:"]
    imported = _imported_by("\n".join([*asked, "    getattr(detector, name)"]))
    assert {"detector", "torch"} <= imported
    assert not imported & FOREIGN_TO_INSPECTION


@pytest.mark.parametrize("statement", ["import viz_app.cli", "from viz_app import cli; cli.build_parser()"])
def test_the_command_starts_without_torch_and_streamlit(statement: str) -> None:
    imported = _imported_by(statement)
    assert "viz_app" in imported
    assert not imported & FOREIGN_TO_THE_COMMAND


def test_help_runs_without_torch_and_streamlit() -> None:
    asked = "from viz_app import cli\ntry: cli.run(['--help'])\nexcept SystemExit: pass"
    assert not _imported_by(asked) & FOREIGN_TO_THE_COMMAND
