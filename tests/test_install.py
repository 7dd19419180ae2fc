"""A built wheel works on its own: installed without the checkout, with everything the app opens on inside."""

import json
import re
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browser import PATIENCE_MS, open_app
from support.server import clean_environment, running_app

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.install

# What an installed copy says about itself, asked from a folder that holds nothing.
QUESTION = """
import json, sys, detector, viz_app
from viz_app.bundled import config_file, sample_images_folder
from viz_app.serving import _APP
folder = sample_images_folder()
paths = [detector.__file__, viz_app.__file__, _APP, config_file(), folder]
scenes = json.loads((folder / "annotations.json").read_text())["images"]
missing = [scene["file_name"] for scene in scenes if not (folder / scene["file_name"]).is_file()]
print(json.dumps({"paths": [str(path) for path in paths], "scenes": len(scenes), "missing": missing}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (only,) = folder.glob("*.whl")
    return only


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it, and this one's dependencies behind it."""
    folder = tmp_path_factory.mktemp("installed")
    # The environment's own interpreter can be a link to this one; --without-pip spares a copy of pip.
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path entry named in a .pth file is not itself searched for .pth files, so the checkout's
    # editable install stays out of sight.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    done = subprocess.run([*pip, "--quiet", str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_wheel_holds_what_the_app_opens_on(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.getinfo(name).file_size for name in archive.namelist()}
        scenes = json.loads(archive.read("viz_app/sample_images/annotations.json"))["images"]
    assert held.get("detector/models/weights/shapes.safetensors", 0) > 1_000_000
    assert "viz_app/.streamlit/config.toml" in held
    assert "viz_app/app.py" in held
    assert scenes and all(f"viz_app/sample_images/{scene['file_name']}" in held for scene in scenes)


def test_the_wheel_holds_every_file_of_both_packages(wheel: Path) -> None:
    """Scripts and styles of components too: what is in the folders arrives, and nothing else does."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")}
    expected = set(_files("detector")) | set(_files("viz_app"))
    expected |= {f"viz_app/{name}" for name in _files("sample_images")} | {"viz_app/.streamlit/config.toml"}
    assert held == expected


def test_the_installed_copy_finds_its_own_files(installed: Path, tmp_path: Path) -> None:
    asked = subprocess.run(
        [str(installed / "bin" / "python"), "-c", QUESTION],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert all(Path(path).is_relative_to(installed) for path in answer["paths"]), answer["paths"]
    assert answer["scenes"] == 12
    assert answer["missing"] == []


@pytest.mark.browser
def test_the_installed_command_serves_the_app(installed: Path, tmp_path: Path, page: Page) -> None:
    with running_app(tmp_path, [str(installed / "bin" / "boxscope")]) as server:
        open_app(page, server.url)
        # The count comes from the bundled detector on a bundled scene: both were found in the wheel.
        expect(page.locator('[data-stage="detections"] .count')).to_have_text(
            re.compile(r"\d"), timeout=PATIENCE_MS
        )


def _files(folder: str) -> list[str]:
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return [path.as_posix() for path in found if "__pycache__" not in path.parts]
