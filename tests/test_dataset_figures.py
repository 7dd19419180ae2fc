"""Charts of a diagnosed data set by their values, what their bars stand for, and the crops of the gallery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from detector.data.shapes import ShapesDataset
from detector.explaining.false_positives import TideType
from detector.explaining.rungs import Rung
from detector.judging.dataset_diagnosis import DatasetDiagnosis, diagnose_dataset
from detector.judging.summary import Fall, Group, OracleGain, Recommendation, TideShare
from detector.models.zoo import load_detector
from detector.tracing.thresholds import Thresholds
from viz_app.app_pages.dataset_advice import changed_thresholds, recommendation_table
from viz_app.figures.dataset_parts import errors_of, narrowed, objects_of
from viz_app.figures.gallery import Card, card_groups, crop_picture, crop_window, gallery_html, gallery_sheet
from viz_app.figures.gallery_cards import best_detection, items_of
from viz_app.figures.mechanisms import mechanisms_figure
from viz_app.figures.oracle import oracle_figure
from viz_app.figures.palette import FALSE_POSITIVE, LOST, rgba
from viz_app.figures.tide import tide_figure
from viz_app.figures.waterfall import MOST_GROUPS, groups_figure, waterfall_figure, worst_first
from viz_app.jobs.kept_reports import KeptDetection, KeptReports
from viz_app.survey import NAMES, Part, Survey

SCENES = "shapes:6:3"


def group(objects: int, **lost: int) -> Group:
    """So many objects, of which each named rung loses some."""
    falls, left = [], objects
    for rung in list(Rung)[:-1]:
        left -= lost.get(rung.name, 0)
        falls.append(Fall(rung.name, lost.get(rung.name, 0), left))
    return Group(objects, left, tuple(falls))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diagnosis")


@pytest.fixture(scope="module")
def diagnosis(folder: Path) -> DatasetDiagnosis:
    """Real rows; at a score of 0.2 there are errors of several types."""
    detector = load_detector("shapes")
    low = Thresholds.from_model(detector.model).replace(box_score=0.2)
    return diagnose_dataset(detector, SCENES, folder, thresholds=low, recommend=False)


def test_the_blocks_of_the_waterfall_hang_on_one_another() -> None:
    figure = waterfall_figure(group(50, RPN_NMS=5, ROI_CLASS=10), "ROI_CLASS")
    stairs, losses, ends, areas = figure.data
    rungs = [rung.name for rung in list(Rung)[:-1]]
    assert list(areas.customdata[1:-1]) == [
        name if name in ("RPN_NMS", "ROI_CLASS") else "" for name in rungs
    ]
    assert areas.customdata[-1] == "FOUND" and areas.customdata[0] == ""
    tops = np.array(losses.base) + np.array(losses.y)
    assert np.allclose(tops, list(stairs.y)[:-2]), "each block begins where the step before it ended"
    assert np.allclose(losses.base, list(stairs.y)[1:-1])
    assert [text for text in losses.text if text] == ["−5", "−10"]
    assert list(ends.text) == ["<b>50</b>", "<b>35</b>"] and list(ends.y) == [100, 70]
    assert len(figure.layout.shapes) == 1, "the chosen column is marked"
    low, high = figure.layout.yaxis.range
    assert 0 <= low < 70 and high > 100


@pytest.mark.parametrize("found", [0, 1])
def test_a_waterfall_that_loses_all_or_nothing_is_drawn(found: int) -> None:
    figure = waterfall_figure(group(1, ANCHOR_FIT=1 - found))
    low, high = figure.layout.yaxis.range
    assert low >= 0 and high > 100 and low < (100 if found else 1)
    assert len(figure.layout.shapes) == 0


def test_groups_stand_lowest_recall_first_and_each_row_is_whole() -> None:
    groups = {"good": group(10), "bad": group(4, BOX_NMS=3), "none": group(0), "fair": group(10, ROI_CLASS=2)}
    figure = groups_figure(groups, ("bad", "BOX_NMS"))
    assert list(worst_first(groups)) == ["bad", "fair", "good"]
    assert [trace.customdata[0][1] for trace in figure.data] == ["FOUND", "ROI_CLASS", "BOX_NMS"]
    assert [trace.customdata[0][0] for trace in figure.data] == ["bad"] * 3
    assert np.allclose(np.sum([trace.x for trace in figure.data], axis=0), 100)
    framed = {
        row[0]
        for trace in figure.data
        for row, width in zip(trace.customdata, trace.marker.line.width, strict=True)
        if width > 2
    }
    assert framed == {"bad"}
    assert list(figure.data[0].y) == ["bad · 25% of 4", "fair · 80% of 10", "good · 100% of 10"]


def test_of_many_groups_the_worst_are_drawn_and_of_none_nothing() -> None:
    many = {f"class {number}": group(100, ROI_CLASS=number) for number in range(40)}
    assert list(worst_first(many)) == [f"class {number}" for number in range(39, 39 - MOST_GROUPS, -1)]
    assert len(groups_figure({}).data[0].x) == 0


def test_mechanisms_are_all_five_with_their_counts() -> None:
    figure = mechanisms_figure({"background": 7, "proposal": 2}, "proposal")
    bars, areas = figure.data
    assert dict(zip(areas.customdata, bars.x, strict=True)) == {
        "proposal": 2, "regressor": 0, "interclass": 0, "background": 7, "calibration": 0,
    }  # fmt: skip
    assert list(bars.text) == ["2", "0", "0", "7", "0"]
    assert [rgba(color)[1] == 1 for color in bars.marker.color] == [True, False, False, False, False]


def test_tide_tells_gain_and_count_of_each_type() -> None:
    figure = tide_figure({"Cls": TideShare(3, 0.1), "Miss": TideShare(1, 0.02)})
    bars, areas = figure.data
    assert list(areas.customdata) == [kind.value for kind in TideType]
    assert list(bars.x) == [0.1, 0, 0, 0, 0, 0.02]
    assert bars.text[0] == "+0.100 · 3" and bars.text[1] == "none"


def test_oracle_has_a_bar_for_each_rung_that_lost_an_object() -> None:
    figure = oracle_figure((OracleGain("RPN_NMS", 0.5, 0.7, 0.01), OracleGain("BOX_NMS", None, None, -0.002)))
    bars, areas = figure.data
    assert list(areas.customdata) == ["RPN_NMS", "BOX_NMS"] and list(bars.y) == ["RPN NMS", "Box NMS"]
    assert list(bars.x) == [0.01, -0.002] and "unknown" in areas.hovertext[1]
    assert figure.layout.xaxis.range[0] < -0.002


def test_the_parts_of_a_real_diagnosis_hold_what_its_summary_counts(diagnosis: DatasetDiagnosis) -> None:
    summary, objects, errors = diagnosis.summary, diagnosis.objects, diagnosis.false_positives
    assert len(objects_of(objects, errors, None)) == summary.objects - summary.found
    for fall in summary.waterfall:
        assert len(objects_of(objects, errors, Part("rung", fall.rung))) == fall.lost
    assert len(objects_of(objects, errors, Part("rung", "FOUND"))) == summary.found
    for name, count in summary.mechanisms.items():
        assert len(objects_of(objects, errors, Part("mechanism", name))) == count
    counts = {name: share.count for name, share in summary.tide.items()}
    assert sum(counts.values()) > 5
    for name, count in counts.items():
        part = Part("tide", name)
        assert part.of_errors is (name != "Miss")
        rows = errors_of(errors, part) if part.of_errors else objects_of(objects, errors, part)
        assert len(rows) == count, name


def test_a_part_is_narrowed_by_category_and_size(diagnosis: DatasetDiagnosis) -> None:
    objects = diagnosis.objects
    one = narrowed(objects, "ring", "small")
    assert set(one["category"]) <= {"ring"} and set(one["size"]) <= {"small"}
    assert len(one) == diagnosis.summary.by_category["ring"].objects - len(
        objects[(objects["category"] == "ring") & (objects["size"] != "small")]
    )
    assert len(narrowed(diagnosis.false_positives, None, "small")) == len(diagnosis.false_positives)


@pytest.mark.parametrize("text", ["rung.NOWHERE", "rung", "tide.loc", "size.small", "", "rung.BOX_NMS.1"])
def test_a_part_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected such as rung"):
        Part.parse(text)


def test_a_survey_goes_through_a_link_and_refuses_what_it_cannot_mean() -> None:
    survey = Survey(
        "shapes:6:3", "a.b.c", "tide.Bkg", "traffic light", "large", "3.0", "d.e", "BOX_NMS.FOUND", "17.2"
    )
    again = Survey()
    for name, text in survey.to_query().items():
        again = again.with_part(name, text)
    assert again == survey and set(survey.to_query()) == set(NAMES)
    for name, text in (
        ("run", "../../etc"),
        ("size", "tiny"),
        ("data", ""),
        ("category", "a\nb"),
        ("part", "x.y"),
        ("cell", "3"),
        ("versus", "a/b"),
        ("moved", "BOX_NMS.up"),
        ("pair", "-1.2"),
    ):
        with pytest.raises(ValueError):
            Survey().with_part(name, text)


@pytest.mark.parametrize("box", [(0, 0, 6, 6), (90, 40, 100, 60), (10, 5, 95, 58), (49, 29, 52, 31)])
def test_a_window_lies_in_the_image_and_holds_its_box(box: tuple[int, int, int, int]) -> None:
    height, width = 60, 100
    x1, y1, x2, y2 = crop_window(box, (height, width))
    assert 0 <= x1 <= box[0] and 0 <= y1 <= box[1] and box[2] <= x2 <= width and box[3] <= y2 <= height


def test_a_crop_shows_its_boxes_where_they_are() -> None:
    pixels = torch.full((3, 200, 200), 90, dtype=torch.uint8)
    window = crop_window((60, 60, 140, 140), (200, 200))
    assert window == (0, 0, 200, 200)
    picture = crop_picture(pixels, window, card_groups(None, (60, 60, 140, 140), right=False))
    assert picture.shape == (240, 240, 3)
    orange = np.abs(picture.astype(int) - rgba(FALSE_POSITIVE)[0]).sum(axis=2) < 30
    rows, columns = orange.nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((72, 168, 72, 168), abs=2)
    assert not orange[100:140, 100:140].any(), "only the outline is drawn"


def test_a_narrow_image_stands_on_grey() -> None:
    pixels = torch.zeros((3, 20, 100), dtype=torch.uint8)
    picture = crop_picture(
        pixels, crop_window((10, 2, 30, 18), (20, 100)), card_groups((10, 2, 30, 18), None, right=True)
    )
    assert (picture[0] == 128).all() and (picture[-1] == 128).all()
    red = np.abs(picture.astype(int) - rgba(LOST)[0]).sum(axis=2) < 30
    assert red.any()


def test_the_gallery_escapes_its_texts_and_counts_its_cards() -> None:
    card = Card("#1 <b>", "scored as “x” & y", "a'b.png", np.zeros((240, 240, 3), dtype=np.uint8))
    markup = gallery_html([card, card])
    assert markup.count("<button") == 2 and 'data-card="1"' in markup
    assert "<b>" not in markup and "&lt;b&gt;" in markup
    sheet = gallery_sheet([card] * 7, columns=6)
    assert sheet.dtype == np.uint8 and sheet.shape[1] > 6 * 240 and sheet.shape[0] > 2 * 240


def test_the_detection_beside_an_object_is_its_own_or_the_nearest() -> None:
    near = KeptDetection((0, 0, 10, 10), 1, 0.9, -1)
    own = KeptDetection((3, 3, 13, 13), 1, 0.6, 2)
    far = KeptDetection((50, 50, 60, 60), 1, 0.9, -1)
    box = (0.0, 0.0, 10.0, 10.0)
    assert best_detection(box, 2, (near, own, far)) is own
    assert best_detection(box, 0, (far, near)) is near
    assert best_detection(box, 0, (far,)) is None and best_detection(box, 0, ()) is None


def test_cards_lead_to_what_they_show(diagnosis: DatasetDiagnosis, folder: Path) -> None:
    reports, dataset = KeptReports(folder), ShapesDataset(6, 3)
    assert len(reports) == 6 and reports.detections(99) == ()
    found = diagnosis.objects[diagnosis.objects["rung"] == "FOUND"].head(2)
    categories = load_detector("shapes").categories
    for item, (_, row) in zip(
        items_of(diagnosis, found, dataset, reports, categories), found.iterrows(), strict=True
    ):
        assert (item.image, str(item.selected)) == (row["image_index"], f"object.{row['object']}")
        own = next(one for one in reports.detections(item.image) if one.object == row["object"])
        assert own.score == pytest.approx(row["detection_score"])
    errors = diagnosis.false_positives.head(3)
    for item, (_, row) in zip(
        items_of(diagnosis, errors, dataset, reports, categories), errors.iterrows(), strict=True
    ):
        assert str(item.selected) == f"detection.{row['anchor']}.{categories.index(row['category'])}"
    assert items_of(diagnosis, errors, dataset, reports, ())[0].selected is None


def test_a_torn_line_of_a_report_is_not_believed(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "diagnose-rank-0.jsonl").write_text('{"index":0,"detections":[]}\n{"index":1,"detec')
    reports = KeptReports(tmp_path)
    assert len(reports) == 1 and reports.detections(0) == () and reports.detections(1) == ()


def test_recommendations_as_rows_and_as_thresholds(diagnosis: DatasetDiagnosis) -> None:
    tried = (
        Recommendation("box_nms", 0.5, 0.6, 4, 52, 3, 9, 0.5, 0.52),
        Recommendation("box_limit", 10.0, 40.0, 0, 0, 0, 0, None, None),
    )
    table = recommendation_table(tried)
    assert isinstance(table, pd.DataFrame)
    assert list(table["true"]) == ["+4 −3", "±0"] and list(table["false"]) == ["+52 −9", "±0"]
    assert list(table["change"]) == ["0.5 → 0.6", "10 → 40"] and list(table["gain"]) == pytest.approx(
        [0.02, 0.0]
    )
    changed = changed_thresholds(diagnosis.summary.thresholds, tried[1])
    assert changed.box_limit == 40 and isinstance(changed.box_limit, int)
