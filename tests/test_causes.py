"""Leading causes: their order, on summaries and reports made by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from detector import Thresholds
from detector.explaining.rungs import Rung
from detector.judging.causes import leading_causes
from detector.judging.findings import Finding, Place, Report, Severity
from detector.judging.summary import CocoScores, Fall, Group, Recommendation, Summary

NAMES = ("background", "circle", "square", "star", "ring")


def _waterfall(objects: int, lost: dict[str, int]) -> tuple[Fall, ...]:
    falls, left = [], objects
    for rung in list(Rung)[:-1]:
        left -= lost.get(rung.name, 0)
        falls.append(Fall(rung.name, lost.get(rung.name, 0), left))
    return tuple(falls)


def _group(objects: int, lost: dict[str, int]) -> Group:
    return Group(objects, objects - sum(lost.values()), _waterfall(objects, lost))


def _summary(lost: dict[str, int], objects: int = 100, **more: Any) -> Summary:
    whole = _group(objects, lost)
    given: dict[str, Any] = {
        "model": "m", "dataset": "d", "thresholds": Thresholds(), "iou": 0.5, "images": 10, "objects": objects,
        "found": whole.found, "waterfall": whole.waterfall, "by_size": {}, "by_category": {}, "mechanisms": {},
        "tide": {}, "coco": CocoScores(*[None] * 6), "oracle": (),
    }  # fmt: skip
    return Summary(**{**given, **more})


def _finding(check: str, severity: Severity, count: int = 0) -> Finding:
    """About the model where nothing is counted, else about so many of the 100 objects."""
    places = (Place("a.png", 1),) if count else ()
    return Finding(severity, check, check, "Do it.", places[0].image if places else None, None, count, places)


def _report(*findings: Finding) -> Report:
    return Report("d", "m", 10, 100, NAMES, findings)


def _order(*args: Any, **rows: Any) -> list[str]:
    return [cause.name for cause in leading_causes(*args, **rows)]


def test_nothing_known_gives_no_cause() -> None:
    assert leading_causes(None) == ()
    assert leading_causes(_report(), _summary({})) == ()
    assert leading_causes(_report(_finding("positives", Severity.NOTE)), _summary({}, objects=0)) == ()


def test_errors_about_the_data_come_before_those_about_the_model() -> None:
    report = _report(
        _finding("few_positives", Severity.ERROR), _finding("labels_off_by_one", Severity.ERROR, 100),
        _finding("box_format", Severity.ERROR, 70), _finding("unheard_of", Severity.ERROR, 50),
    )  # fmt: skip
    expected = ["box_format", "labels_off_by_one", "few_positives", "unheard_of"]
    assert _order(report) == expected
    assert _order(report, _summary({"ANCHOR_FIT": 90})) == [*expected, "anchor_fit"]


def test_an_error_about_few_objects_does_not_go_before_a_threshold_that_costs_many() -> None:
    report = _report(_finding("degenerate_box", Severity.ERROR, 2), _finding("box_nms", Severity.WARNING))
    assert _order(report, _summary({"BOX_NMS": 30}))[:2] == ["box_nms", "degenerate_box"]
    assert _order(report, _summary({"BOX_NMS": 1}))[:2] == ["degenerate_box", "box_nms"]


def test_a_known_mistake_that_lost_objects_comes_before_a_rung_that_lost_more() -> None:
    report = _report(_finding("rpn_nms", Severity.WARNING), _finding("box_nms", Severity.WARNING))
    causes = leading_causes(report, _summary({"RPN_NMS": 5, "ROI_CLASS": 20}))
    assert [cause.name for cause in causes] == ["rpn_nms", "roi_class", "box_nms"]
    assert causes[0].weight == pytest.approx(0.05)
    assert "5 of 100 objects lost at RPN_NMS" in causes[0].evidence


def test_a_high_score_threshold_explains_only_what_it_alone_lost() -> None:
    report = _report(_finding("box_score", Severity.WARNING))
    summary = _summary({"ROI_CLASS": 10})
    rows = pd.DataFrame({"rung": ["ROI_CLASS"] * 10, "cause": ["threshold"] * 4 + ["background"] * 6})
    assert leading_causes(report, summary, objects=rows)[0].weight == pytest.approx(0.04)
    rows["cause"] = "background"
    assert _order(report, summary, objects=rows) == ["roi_class", "box_score"]


def test_rungs_are_ranked_by_what_they_lost_and_say_what_was_tried() -> None:
    tried = Recommendation("box_nms", 0.5, 0.7, 9, 4, 0, 1, 0.6, 0.65)
    worse = Recommendation("box_nms", 0.5, 0.9, 9, 40, 0, 1, 0.6, 0.4)
    summary = _summary({"ROI_BOX": 3, "BOX_NMS": 12}, recommendations=(tried, worse))
    causes = leading_causes(None, summary)
    assert [cause.name for cause in causes] == ["box_nms", "roi_box"]
    assert causes[0].evidence == ("box_nms 0.5 -> 0.7: 9 right and 4 wrong detections come, AP +0.050",)


def _by_category(found: dict[str, tuple[int, int]]) -> dict[str, Group]:
    return {name: _group(total, {"ROI_CLASS": total - right}) for name, (right, total) in found.items()}


@pytest.mark.parametrize(
    ("star", "said", "name"),
    [
        ((0, 10), [], "class_left_out"),
        ((0, 10), ["star"], "weak_class"),
        ((2, 20), [], "weak_class"),
        ((8, 10), [], None),
        ((0, 2), [], None),
    ],
)
def test_a_class_far_below_the_others_is_named(
    star: tuple[int, int], said: list[str], name: str | None
) -> None:
    groups = _by_category({"circle": (28, 30), "square": (27, 30), "star": star})
    lost = sum(group.objects - group.found for group in groups.values())
    summary = _summary({"ROI_CLASS": lost}, 60 + star[1], by_category=groups)
    false = pd.DataFrame({"category": said, "cause": ["background"] * len(said), "object": [-1] * len(said)})
    causes = leading_causes(_report(), summary, false_positives=false)
    found = [cause for cause in causes if cause.name in ("class_left_out", "weak_class")]
    assert [cause.name for cause in found] == ([] if name is None else [name])
    if found:
        assert causes[0] is found[0]
        assert "'star'" in found[0].message


def _confused(rule: dict[str, str], each: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(objects, false positives): every object is detected as what the rule says."""
    rows = [(name, rule[name]) for name in NAMES[1:] for _ in range(each)]
    objects = pd.DataFrame(
        {"image_index": 0, "object": range(len(rows)), "category": [true for true, _ in rows],
         "rung": "ROI_CLASS", "cause": "other class"}
    )  # fmt: skip
    false = pd.DataFrame(
        {"image_index": 0, "object": range(len(rows)), "category": [said for _, said in rows], "score": 0.9,
         "cause": "other class"}
    )  # fmt: skip
    return objects, false


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (("square", "star", "ring", "circle"), "labels_off_by_one"),
        (("ring", "circle", "square", "star"), "labels_off_by_one"),
        (("ring", "star", "square", "circle"), "category_order"),
        (("circle", "circle", "circle", "circle"), None),
    ],
)
def test_classes_in_each_others_place_are_told_by_their_rule(said: tuple[str, ...], name: str | None) -> None:
    objects, false = _confused(dict(zip(NAMES[1:], said, strict=True)))
    summary = _summary({"ROI_CLASS": 32}, 32)
    assert _order(_report(), summary, objects=objects, false_positives=false)[0] == (name or "roi_class")


def test_other_detections_on_objects_that_are_found_are_no_swapped_classes() -> None:
    objects, false = _confused({"circle": "square", "square": "star", "star": "ring", "ring": "circle"})
    objects["rung"], objects["cause"] = "FOUND", ""
    assert _order(_report(), _summary({}, 32), objects=objects, false_positives=false) == []


def test_that_a_class_is_never_said_is_claimed_only_where_the_detections_are_known() -> None:
    groups = _by_category({"circle": (28, 30), "square": (27, 30), "star": (0, 10)})
    summary = _summary({"ROI_CLASS": 15}, 70, by_category=groups)
    cause = next(cause for cause in leading_causes(_report(), summary) if "'star'" in cause.message)
    assert cause.name == "weak_class" and "never" not in cause.message
