"""What the app may read for a page: below the workspace and the folders named in the shell, links followed."""

from __future__ import annotations

import re
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.app import APP, open_app, said
from support.datasets import coco_folder, picture, voc_folder

from detector.data import plain_file
from detector.data.datasets import open_dataset
from detector.data.images import read_image
from detector.training.config import DataConfig, ModelConfig, RunConfig
from detector.training.config_file import config_text, write_config
from detector.training.tuning import StudyConfig
from detector.training.tuning_space import parameters_of
from viz_app import job_check, resources
from viz_app.app_pages import train_run
from viz_app.bundled import sample_images_folder
from viz_app.jobs import readable as module
from viz_app.jobs import workspace
from viz_app.jobs.launching import free_name
from viz_app.jobs.readable import NotReadable, name_folders, named_source, readable, readable_detector

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace, and no other folder that may be read."""
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path / "work"))
    monkeypatch.setenv(module.VARIABLE, "")
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A data set elsewhere: one picture with a box."""
    picture(tmp_path / "other" / "secret" / "a.png")
    return coco_folder(tmp_path / "other" / "secret", {"a.png": [(1, 2, 10, 12)]})


def refusal(path: Path) -> str:
    with pytest.raises(NotReadable) as problem:
        readable(path)
    return str(problem.value)


def test_the_workspace_is_read_and_named_folders_and_what_is_bundled(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert readable(place / "datasets" / "x") == place / "datasets" / "x"
    assert readable(sample_images_folder()) == sample_images_folder()
    assert readable_detector("shapes") == "shapes"
    refusal(tmp_path / "data" / "x")
    (tmp_path / "data").mkdir()
    name_folders([str(tmp_path / "data")])
    assert readable(tmp_path / "data" / "x") == tmp_path / "data" / "x"
    monkeypatch.chdir(tmp_path / "data")
    assert readable("x") == tmp_path / "data" / "x" == Path(named_source("x"))
    assert named_source("shapes:3") == "shapes:3"
    refusal(tmp_path / "data2")
    with pytest.raises(ValueError, match="there is no such folder"):
        name_folders([str(tmp_path / "none")])


def test_the_sentence_names_the_remedy_and_not_whether_something_is_there(
    outside: Path, place: Path, tmp_path: Path
) -> None:
    there, missing = refusal(outside / "a.png"), refusal(outside / "b.png")
    assert there.replace("a.png", "b.png") == missing
    assert f"put it below {place}" in there and there.endswith(f"--folder {outside}")
    refusal(tmp_path / "x\0y")
    with pytest.raises(ValueError, match="there is no detector 'word'"):
        readable_detector("word")


@pytest.mark.parametrize("where", ["dots", "link", "link_to_folder", "loop"])
def test_what_leads_out_of_the_workspace_is_refused(where: str, place: Path, outside: Path) -> None:
    (place / "link").symlink_to(outside / "a.png")
    (place / "folder").symlink_to(outside)
    (place / "inner").symlink_to(place / "x")
    paths = {
        "dots": place / ".." / "other" / "secret" / "a.png",
        "link": place / "link",
        "link_to_folder": place / "folder" / "a.png",
        "loop": place / "folder" / ".." / "secret" / "a.png",
    }
    assert "that the app may read" in refusal(paths[where])
    assert str(outside) not in refusal(paths[where]), "nobody learns where a link leads"
    assert readable(place / "inner") == place / "inner"


def test_an_image_that_is_a_link_out_of_the_folders_is_refused_by_the_app_alone(
    place: Path, outside: Path
) -> None:
    data = coco_folder(place / "set", {"a.png": [(1, 2, 10, 12)]})
    image = data / "images" / "a.png"
    image.unlink()
    image.symlink_to(outside / "a.png")
    assert len(open_dataset(data)) == 1, "the library and the shell read what their user may read"
    with pytest.raises(NotReadable, match=r"set/images/a\.png leads out of the folders"):
        resources.dataset(str(data))
    image.unlink()
    shutil.copy(outside / "a.png", image)
    assert len(resources.dataset(str(data))) == 1


def test_a_guarded_server_opens_nothing_else_however_late(
    place: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_file, "_limits", [])
    monkeypatch.setattr(module, "_guarded", False)
    module.stand_guard()
    read_image(outside / "a.png")
    runpy.run_path(str(APP), run_name="viz_app.app")
    module.stand_guard()
    voc = voc_folder(place / "voc")
    dataset = resources.dataset(str(voc))
    (voc / "JPEGImages" / "a.jpg").unlink()
    (voc / "JPEGImages" / "a.jpg").symlink_to(outside / "a.png")
    for read in (lambda: dataset[0], lambda: read_image(outside / "a.png"), lambda: open_dataset(outside)):
        with pytest.raises(ValueError, match="the app may read"):
            read()
    with module.private_folder() as own:
        shutil.copy(outside / "a.png", own)
        read_image(own / "a.png")
    (place / "hub").mkdir()
    monkeypatch.setattr(torch.hub, "_hub_dir", str(outside))
    read_image(outside / "a.png")
    refusal(outside / "a.png")


def test_what_a_run_or_a_study_names_is_looked_at_before_a_process_begins(place: Path, outside: Path) -> None:
    run = RunConfig(data=DataConfig(train="shapes:3", val=str(outside)))
    weights = RunConfig(
        model=ModelConfig(source=str(outside / "x.safetensors")), data=DataConfig("shapes:2", "shapes:3")
    )
    chosen = parameters_of("training", ["lr"])
    study = StudyConfig("s", "training", chosen, ("AP",), 2, run=config_text(run))
    thresholds = StudyConfig(
        "t", "thresholds", parameters_of("thresholds", ["box_nms"]), dataset=str(outside)
    )
    folder = place / "runs" / free_name("shapes")
    folder.mkdir(parents=True)
    write_config(folder / "config.yaml", run)
    for check in (
        lambda: job_check.check_run(run),
        lambda: job_check.check_run(weights),
        lambda: job_check.check_study(study),
        lambda: job_check.check_study(thresholds),
        lambda: train_run._resume(folder.name),
    ):
        with pytest.raises(NotReadable):
            check()
    job_check.check_run(replace(run, data=DataConfig("shapes:2", "shapes:3")))


@pytest.mark.parametrize("page", ["data", "doctor"])
def test_a_link_to_a_path_elsewhere_is_one_sentence(page: str, outside: Path) -> None:
    answers = []
    for name in ("secret", "nothing"):
        source = outside.with_name(name)
        app = open_app(page, data=str(source), image=f"{source}/0", model=str(source / "a.safetensors"))
        answers.append(re.sub(r"secret|nothing", "NAME", said(app)))
        assert app.query_params["model"] == "shapes"
    assert answers[0] == answers[1]
    assert answers[0].count("is not in a folder that the app may read") == 3
    assert "category" not in answers[0]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/data/coco/../../a.json", "--folder FOLDER"),
        ("/data/coco/a.json", "--folder /data/coco"),
        ("/secret", "--folder FOLDER"),
        ("/", "--folder FOLDER"),
    ],
)
def test_nobody_is_told_to_open_the_whole_disk(path: str, said: str) -> None:
    sentence = refusal(Path(path))
    assert said in sentence and not sentence.endswith("--folder /")
