"""The Doctor page on sound and on broken data sets: findings with their remedies, and the way to the image."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from support.app import calm, open_app, said

from detector.judging.doctor import examine
from detector.models.zoo import load_detector
from viz_app.app_pages.doctor import finding_table
from viz_app.bundled import sample_images_folder
from viz_app.jobs import workspace

pytestmark = pytest.mark.usefixtures("fresh_caches")

SCENES = "shapes:6:3"


@pytest.fixture(autouse=True)
def in_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path / "workspace"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The first two bundled scenes; a box of the second reaches far out of it."""
    folder = tmp_path / "broken"
    folder.mkdir()
    content = json.loads((sample_images_folder() / "annotations.json").read_text())
    content["images"] = content["images"][:2]
    ids = [image["id"] for image in content["images"]]
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] in ids]
    last = next(one for one in content["annotations"] if one["image_id"] == ids[1])
    last["bbox"] = [200, 200, 300, 300]
    for image in content["images"]:
        shutil.copy(sample_images_folder() / image["file_name"], folder)
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def shown(app: AppTest) -> str:
    texts = [element.value for element in (*app.main.markdown, *app.main.caption, *app.main.success)]
    return re.sub(r"\\(.)", r"\1", " ".join(texts))


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.main.metric}


def click_examine(app: AppTest) -> AppTest:
    app.button(key="doctor.examine").click()
    return calm(app.run())


def test_a_data_set_is_examined_with_the_detector_of_the_sidebar() -> None:
    app = open_app("doctor", data=SCENES)
    assert "The doctor reads every image once" in shown(app) and metrics(app) == {}
    click_examine(app)
    report = examine(SCENES, load_detector("shapes"))
    assert metrics(app)["Images"] == "6" and metrics(app)["Objects"] == str(report.objects)
    assert metrics(app)["Errors"] == str(len(report.errors)) == "0"
    first = report.findings[0]
    assert first.remedy in shown(app) and "What to do" in shown(app)
    app.text_input(key="dataset.source").set_value("shapes:7:3")
    assert metrics(calm(app.run())) == {}, "a report is about what was examined, and nothing else"


def test_a_finding_leads_to_its_image(broken: Path) -> None:
    app = click_examine(open_app("doctor", data=str(broken)))
    report = examine(str(broken), load_detector("shapes"))
    place = next(n for n, finding in enumerate(report.findings) if finding.image == "scene_01.png")
    if place == 0:
        assert report.findings[0].message[1:] in shown(app)
    file = "scene\\_01.png"  # shown as it is, not as Markdown
    names = [button.label for button in app.main.button]
    assert any(file in name for name in names), names
    next(button for button in app.main.button if file in button.label).click()
    calm(app.run())
    assert app.query_params["image"] == f"{broken}/1" and said(app) == ""
    assert app.sidebar.selectbox(key="image").value == f"{broken}/1"


def test_splits_that_share_images_are_told(broken: Path) -> None:
    app = open_app("doctor", data=str(broken))
    app.text_input(key="doctor.other").set_value(str(sample_images_folder()))
    click_examine(app)
    report = examine(str(broken), load_detector("shapes"), others=[str(sample_images_folder())])
    leak = report.find("leak")
    assert leak is not None
    assert metrics(app)["Errors"] == str(len(report.errors))
    assert leak.message[:1].upper() + leak.message[1:] in list(finding_table(report.findings)["finding"])


def test_what_is_no_data_set_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    app = click_examine(open_app("doctor", data=str(tmp_path / "bad.json")))
    assert "bad.json" in said(app) and len(app.error) == 1
    app = click_examine(open_app("doctor", data="shapes:0:1"))
    assert "length of the shapes world is 0" in said(app)


def test_without_an_image_the_page_examines_the_data_alone() -> None:
    def page() -> None:
        from viz_app.app_pages import doctor

        doctor.render(None)

    app = AppTest.from_function(page, default_timeout=120).run()
    app.text_input(key="dataset.source").set_value("shapes:3:1")
    app.run()
    app.button(key="doctor.examine").click()
    app.run()
    assert not app.exception
    assert metrics(app)["Images"] == "3"
