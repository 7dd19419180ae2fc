"""Evaluate and Compare under a real pointer: a cell of the matrix opens its objects, two pictures move as one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import PATIENCE_MS, click_point, open_app, wait_until_idle
from support.server import running_app

from detector.judging.comparison import compare
from detector.judging.confusion_cells import confused_pairs
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.judging.kept_run import read_run
from detector.models.zoo import load_detector
from detector.tracing.thresholds import Thresholds
from viz_app.jobs import workspace
from viz_app.jobs.job import JOB_FILE, Job

pytestmark = pytest.mark.browser

SCENES = "shapes:4:3"
JOBS = (Job(SCENES, "shapes"), Job(SCENES, "shapes", thresholds=(("box_score", 0.2),)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("judged")
    detector = load_detector("shapes")
    for job in JOBS:
        thresholds = Thresholds.from_model(detector.model).replace(**dict(job.thresholds))
        folder = place / "diagnoses" / job.name
        diagnose_dataset(detector, SCENES, folder, thresholds=thresholds, remedies=False, recommend=False)
        (folder / JOB_FILE).write_text(job.to_json())
    return place


@pytest.fixture(scope="module")
def url(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app whose workspace holds both diagnoses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(workspace.VARIABLE, str(place))
        with running_app(tmp_path_factory.mktemp("app")) as server:
            yield server.url


def test_a_click_on_a_cell_of_the_matrix_shows_exactly_its_objects(page: Page, url: str, place: Path) -> None:
    run = read_run(place / "diagnoses" / JOBS[1].name)
    pairs = [(pair.true, pair.found) for pair in confused_pairs(run.reports, 0.5, 0.5)]
    # Clear bars lie over the cells, row by row, in the order of the drawing; cells on the diagonal hold the most.
    open_app(page, f"{url}/evaluate?run={JOBS[1].name}&data={SCENES}")
    label = max(range(1, len(run.categories)), key=lambda one: pairs.count((one, one)))
    shown = sorted({label for pair in pairs for label in pair} - {0})
    row = shown.index(label)
    chart = page.get_by_test_id("stPlotlyChart").nth(2)
    click_point(page, chart.locator(".barlayer .point path").nth(row * (len(shown) + 1) + row))
    expect(page).to_have_url(re.compile(rf"cell={label}\.{label}"), timeout=PATIENCE_MS)
    count = pairs.count((label, label))
    said = f"{count} object{'' if count == 1 else 's'}: {run.categories[label]}, found as such"
    expect(page.get_by_text(said)).to_be_visible(timeout=PATIENCE_MS)
    wait_until_idle(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_two_pictures_of_a_comparison_move_and_zoom_as_one(page: Page, url: str, place: Path) -> None:
    names = [job.name for job in JOBS]
    one = compare(*(place / "diagnoses" / name for name in names)).objects[0]
    address = f"{url}/compare?run={names[0]}&versus={names[1]}&pair={one.image_index}.{one.object}"
    open_app(page, address)
    stages = page.locator(".canvas .stage")
    expect(stages).to_have_count(2, timeout=PATIENCE_MS)
    wait_until_idle(page)
    first, second = stages.nth(0), stages.nth(1)
    first.scroll_into_view_if_needed()
    before = _place(second)
    first.locator("[data-do=in]").click()
    first.locator("[data-do=in]").click()
    page.wait_for_timeout(300)
    assert _place(first) == pytest.approx(_place(second), abs=1e-3) and _place(second)[0] > before[0]
    box = second.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 30, steps=4)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert _place(first) == pytest.approx(_place(second), abs=1e-3), (
        "what is dragged in one moves in the other"
    )
    assert _place(first)[1] > 0.5, "to the right of the middle"


def _place(stage: Locator) -> list[float]:
    """Zoom, and the share of the image that lies in the middle."""
    return stage.evaluate("stage => stage.closest('.canvas').canvas.view.place")
