"""Reports: one file without a network, texts that stay texts, and a canvas that answers in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from support.evaluations import CrowdedScenes, shapes_detector

from detector import Detector, Replayer, capture, diagnose
from detector.data.coco import CocoDataset
from detector.data.coco_export import write_coco
from detector.data.datasets import ground_truth_of
from detector.judging.evaluation import evaluate
from detector.judging.kept_run import read_run
from detector.tracing.thresholds import Thresholds
from viz_app.annotated import write_pictures
from viz_app.figures.kept_boxes import LOST_GROUP, kept_groups, place_of_lost
from viz_app.report import dataset_report, image_report, save_report
from viz_app.report_gallery import lost_gallery

HOSTILE = '<img src=x onerror="alert(1)">'
NAMES = (
    "background",
    HOSTILE,
    "</script><script>alert(2)</script>",
    "a\"b'c",
    "${x}`",
    "<b>cross</b>",
    "ring",
)


class HostileScenes(CrowdedScenes):
    """The crowded scenes with names that are markup."""

    categories = NAMES


def hostile_detector() -> Detector:
    return replace(shapes_detector(), categories=NAMES, name="<i>model</i>")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CocoDataset:
    folder = tmp_path_factory.mktemp("data") / "coco"
    return CocoDataset(write_coco(HostileScenes(), folder, names='images/{:02d} <b>&amp;".png'))


@pytest.fixture(scope="module")
def folder(dataset: CocoDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    thresholds = Thresholds.from_model(shapes_detector().model).replace(box_score=0.9)
    evaluate(hostile_detector(), dataset, out, thresholds=thresholds)
    return out


@pytest.fixture(scope="module")
def of_dataset(folder: Path) -> str:
    return dataset_report(folder)


@pytest.fixture(scope="module")
def of_image() -> str:
    pixels, target = HostileScenes()[3]
    replayer = Replayer(capture(hostile_detector(), pixels, ground_truth_of(target)), hostile_detector())
    replay = replayer.replay(replayer.trace.thresholds.replace(box_score=0.9))
    truth = replay.trace.ground_truth
    assert truth is not None
    return image_report(replayer, replay, diagnose(replay, truth))


class Parsed(HTMLParser):
    """Tags with their attributes, the text of scripts, and the text that people read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.words, self._open = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            kind, said = self.scripts[-1]
            self.scripts[-1] = kind, said + data
        elif self._open != "style":
            self.words += data


@pytest.mark.parametrize("kind", ["of_dataset", "of_image"])
def test_a_report_runs_one_script_and_takes_texts_for_texts(
    kind: str, request: pytest.FixtureRequest
) -> None:
    page = Parsed(request.getfixturevalue(kind))
    run = [text for kind, text in page.scripts if kind == "module"]
    assert len(run) == 1 and {kind for kind, _ in page.scripts} == {"module", "application/octet-stream"}
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(run[0].encode()).digest()).decode()
    assert (
        policy is not None and f"script-src 'sha256-{digest}';" in policy and "default-src 'none'" in policy
    )
    assert {a["src"].split(":")[0] for tag, a in page.tags if a.get("src")} == {"data"}
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "base", "form", "object")]
    assert any(name in page.words for name in NAMES[1:]) and "<i>model</i>" in page.words


def test_the_report_says_what_the_run_says(folder: Path, of_dataset: str) -> None:
    run, words = read_run(folder), Parsed(of_dataset).words
    lost = run.summary.objects - run.summary.found
    assert lost > 2
    assert f"{lost} objects of {run.summary.objects} are lost" in words
    for fall in run.summary.waterfall:
        assert (f'data-narrow="{fall.rung}"' in of_dataset) == bool(fall.lost)
    assert of_dataset.count("data-about=") == lost
    assert f"{run.summary.coco.AP:.3f}" in words


def test_where_there_are_too_many_some_of_every_rung_are_shown_and_it_is_said(
    folder: Path, dataset: CocoDataset
) -> None:
    run = read_run(folder)
    rungs = {fall.rung for fall in run.summary.waterfall if fall.lost}
    gallery = lost_gallery(run, dataset, len(rungs))
    assert (gallery.shown, gallery.lost) == (len(rungs), run.summary.objects - run.summary.found)
    assert set(re.findall(r'data-rung="(\w+)"', gallery.html)) == rungs
    assert f"{gallery.shown} of {gallery.lost} lost objects" in dataset_report(
        folder, dataset, most=len(rungs)
    )


def test_a_lost_object_is_where_the_card_says_it_is(folder: Path) -> None:
    run = read_run(folder)
    for report in run.reports:
        groups = kept_groups(report, run.categories)
        assert sum(map(len, groups)) == len(report.truth) + len(report.detections)
        for row in report.objects:
            place = place_of_lost(report, row.object)
            assert (place is None) == (row.rung == "FOUND")
            if place is not None:
                group = groups[place[0]]
                assert group.name == LOST_GROUP
                assert group.boxes[place[1]].tolist() == pytest.approx([row.x1, row.y1, row.x2, row.y2])


def test_a_run_in_which_nothing_is_lost_or_there_is_nothing_has_a_report(tmp_path: Path) -> None:
    empty = CrowdedScenes(1)  # its last scene is its only one, and holds no object
    evaluate(shapes_detector(), empty, tmp_path / "run")
    words = Parsed(dataset_report(tmp_path / "run", empty)).words
    assert "The images hold no objects" in words


def test_another_data_set_and_another_ending_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="this is another data set"):
        dataset_report(folder, CrowdedScenes())
    with pytest.raises(ValueError, match=r"expected a file that ends in \.html"):
        save_report("", tmp_path / "report.pdf")
    with pytest.raises(ValueError, match="there is no folder"):
        save_report("", tmp_path / "nowhere" / "report.html")


def test_pictures_have_names_of_their_own_whatever_the_images_are_called(
    folder: Path, dataset: CocoDataset, tmp_path: Path
) -> None:
    assert write_pictures(read_run(folder), dataset, tmp_path, 2) == 2
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2 and all(re.fullmatch(r"00000\d_[\w.-]+\.png", name) for name in names)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())


@pytest.mark.browser
def test_both_reports_open_from_the_disk_and_answer(
    page: Page, of_image: str, of_dataset: str, tmp_path: Path
) -> None:
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    _image(page, save_report(of_image, tmp_path / "image.html"))
    _dataset(page, save_report(of_dataset, tmp_path / "dataset.html"))
    assert said == []
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}


def _image(page: Page, file: Path) -> None:
    """The opened ladder's box is chosen; a click on another object's box opens that one's ladder."""
    page.goto(file.as_uri())
    canvas = page.locator(".report-canvas")
    canvas.locator("img.image").wait_for()
    chosen = (
        "() => document.querySelector('.report-canvas').shadowRoot.querySelector('.canvas').canvas.chosen"
    )
    first = page.locator("details[open][data-box]").get_attribute("data-box")
    assert page.evaluate(chosen) == {
        key: int(v) for key, v in zip(("group", "place"), (first or "").split("."), strict=True)
    }
    other = page.locator("details[data-box]:not([open])").first
    identity = other.get_attribute("id")
    group, place = (other.get_attribute("data-box") or "").split(".")
    point = page.evaluate(
        """([group, place]) => {
          const root = document.querySelector('.report-canvas').shadowRoot.querySelector('.canvas');
          root.scrollIntoView();
          const { view, surface, boxes } = root.canvas;
          const [x1, y1] = boxes.at({ group, place });
          const at = surface.getBoundingClientRect();
          return [at.left + view.x + x1 * view.scale, at.top + view.y + y1 * view.scale];
        }""",
        [int(group), int(place)],
    )
    opened = page.locator(f"#{identity}[open]")
    for _ in range(6):  # the smallest box there comes first; the next click takes the next one
        page.mouse.click(*point)
        if opened.count():
            break
    expect(opened).to_have_count(1)


def _dataset(page: Page, file: Path) -> None:
    """A card shows its image; a box says under the pointer what it is; a rung narrows the cards."""
    page.goto(file.as_uri())
    cards = page.locator("button[data-about]")
    cards.last.click()
    about = cards.last.get_attribute("data-about") or ""
    expect(page.locator(".viewer .about")).to_have_text(about)
    box = page.evaluate(
        """() => {
          const root = document.querySelector('.viewer .report-canvas').shadowRoot.querySelector('.canvas');
          root.scrollIntoView();
          const { view, surface, boxes, chosen } = root.canvas;
          const [x1, y1, x2, y2] = boxes.at(chosen);
          const at = surface.getBoundingClientRect();
          return [at.left + view.x + (x1 + x2) / 2 * view.scale, at.top + view.y + (y1 + y2) / 2 * view.scale];
        }"""
    )
    page.mouse.move(*box)
    tip = page.locator(".viewer .tip")
    expect(tip).to_be_visible()
    assert tip.locator("*").count() == 0 and (tip.text_content() or "")
    rung = page.locator(".choices [data-narrow]").last
    rung.click()
    named = rung.get_attribute("data-narrow")
    expect(page.locator("button[data-about]:not([hidden])")).to_have_count(
        page.locator(f'button[data-about][data-rung="{named}"]').count()
    )
