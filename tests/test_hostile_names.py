"""Names from files are text wherever they are shown: pages, charts, reports and the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import plotly.graph_objects as go
import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from support.app import open_app
from support.browser import PATIENCE_MS, wait_until_idle
from support.hostile import NAMES, hostile_checkpoint, hostile_dataset
from support.server import running_app

from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.models.zoo import load_detector
from viz_app import cli
from viz_app.figures.names_as_text import as_text, names_as_text
from viz_app.jobs import workspace
from viz_app.jobs.job import JOB_FILE, Job
from viz_app.problems import literal
from viz_app.shell import ENTRIES
from viz_app.visible import visible

# What Markdown would take for more than text, where no backslash stands before it.
MARKUP = re.compile(
    r"(?<!\\)<(img|script|b>)|(?<!\\)\]\(java|(?<!\\)\$\\+int|(?<!\\):red\[x|(?<![\\*])\*\*strong|\x1b|\u202e"
)
MARKDOWN = (
    "markdown", "caption", "subheader", "header", "title", "error", "warning", "info", "success", "button",
    "expander", "metric", "checkbox", "toggle", "popover",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the detector, the data set and its diagnosis."""
    place = tmp_path_factory.mktemp("hostile")
    model = str(hostile_checkpoint(place / "detector.safetensors"))
    data = str(hostile_dataset(place / "datasets" / "set"))
    folder = place / "diagnoses" / Job(data, model).name
    diagnose_dataset(load_detector(model), data, folder)
    (folder / JOB_FILE).write_text(Job(data, model).to_json())
    return place


def query(place: Path) -> dict[str, str]:
    model, data = str(place / "detector.safetensors"), str(place / "datasets" / "set")
    run = Job(data, model).name
    return {
        "model": model,
        "data": data,
        "image": f"{data}/0",
        "select": "object.0",
        "run": run,
        "versus": run,
    }


def elements(node: object) -> Iterator[object]:
    for child in getattr(node, "children", {}).values():
        yield child
        yield from elements(child)


def markdown(app: AppTest) -> Iterator[str]:
    """Every text of a page that the browser reads as Markdown."""
    for one in elements(app._tree):
        if getattr(one, "type", "") in MARKDOWN:
            yield str(getattr(one, "value", "") or "")
            yield str(getattr(one, "label", "") or "")
            yield str(getattr(one, "help", "") or "")


@pytest.mark.usefixtures("fresh_caches")
@pytest.mark.parametrize("name", ["why", "fast_rcnn", "data", "dataset", "evaluate"])
def test_markdown_on_a_page_shows_names_as_they_are(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(workspace.VARIABLE, str(place))
    texts = list(markdown(open_app(name, **query(place))))
    assert [found[0] for text in texts if (found := MARKUP.search(text))] == []
    if name in ("why", "fast_rcnn", "data"):
        assert any(r"\<img src\=x" in text or r"\<img src=x" in text for text in texts), "it is shown at all"


def test_a_chart_has_no_markup_but_its_own() -> None:
    evil = "<a href='https://example.org'>x</a>"
    figure = go.Figure(go.Bar(x=[evil, "b<br>c"], y=[1, 2], name=evil, text=[f"<b>{evil}</b><br>", "y"]))
    figure.data[0].hovertemplate = f"{as_text('%{x} ' + evil)}<br>%{{y}}<extra></extra>"
    figure.update_xaxes(ticktext=[evil, "z"], tickvals=[0, 1])
    figure.add_annotation(text=evil)
    once = names_as_text(figure).to_json()
    assert once is not None and "<a" not in once and "\\u003ca" not in once
    assert figure.data[0].text[0].startswith("<b>&lt;a href") and figure.data[0].text[0].endswith("</b><br>")
    assert figure.data[0].x[1] == "b<br>c" and tuple(figure.data[0].y) == (1, 2)
    assert figure.data[0].hovertemplate.startswith("%&#123;x} &lt;a")
    assert names_as_text(figure).to_json() == once


def test_one_place_unpickles_in_full() -> None:
    """What Boxscope hands to its own processes, in a folder of this user's own; ruff's S rules refuse the rest."""
    root = Path(__file__).parents[1]
    files = [path for top in ("detector", "viz_app", "benchmarks") for path in (root / top).rglob("*.py")]
    found = [path for path in files if "weights_only=False" in path.read_text(encoding="utf-8")]
    assert [path.relative_to(root).as_posix() for path in found] == ["detector/judging/processes.py"]


def test_the_terminal_shows_control_characters(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert visible("a\x1b[31m\u202eb\n\t") == r"a\x1b[31m\u202eb" + "\n\t"
    assert literal("\x1b[2J") == r"\\x1b\[2J"
    monkeypatch.setenv(workspace.VARIABLE, str(place))
    asked = query(place)
    assert cli.run(["evaluate", asked["data"], "--model", asked["model"], "--limit", "1"]) == 0
    assert cli.run(["doctor", asked["data"], "--model", asked["model"]]) in (0, 1)
    out = capsys.readouterr().out
    assert r"\x1b[31mred" in out and "\x1b" not in out and "\u202e" not in out


def test_a_report_of_hostile_names_holds_no_element_of_theirs(
    place: Path, tmp_path: Path, page: Page
) -> None:
    asked = query(place)
    out = tmp_path / "report.html"
    run = place / "diagnoses" / asked["run"]
    assert cli.run(["report", str(run), "--out", str(out)]) == 0
    page.goto(out.as_uri())
    page.wait_for_load_state()
    assert page.title() != "owned" and page.locator("img[src=x], a[href^=javascript]").count() == 0
    expect(page.get_by_text(NAMES[0]).first).to_be_attached()


@pytest.mark.browser
def test_every_page_shows_hostile_names_as_text(
    place: Path, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(workspace.VARIABLE, str(place))
    asked = "&".join(f"{name}={value}" for name, value in query(place).items())
    with running_app(tmp_path) as server:
        texts = []
        page.goto(f"{server.url}/why?{asked}")
        expect(page.get_by_test_id("stMainBlockContainer")).to_be_visible(timeout=PATIENCE_MS)
        for entry in ENTRIES:
            page.get_by_test_id("stSidebarNav").get_by_role("link", name=entry.title, exact=True).click()
            expect(page).to_have_url(re.compile(rf"/({entry.name})?\?"), timeout=PATIENCE_MS)
            wait_until_idle(page)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            injected = page.locator("img[src=x], a[href^='javascript'], .stMain script").count()
            formulas = page.locator(".katex annotation").filter(has_text=re.compile(r"^\\int$")).count()
            assert (page.title() == "owned", injected, formulas) == (False, 0, 0), entry.name
            texts.append(page.locator("body").inner_text())
        assert all(any(name in text for text in texts) for name in NAMES[:2]), "they are shown as they are"
