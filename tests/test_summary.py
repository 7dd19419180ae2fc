"""The summary of a data set: its text, and the waterfall."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from detector import Thresholds
from detector.explaining.rungs import Rung
from detector.judging.rows import ObjectRow, size_of
from detector.judging.summarize import group_of
from detector.judging.summary import (
    AnchorFit,
    CocoScores,
    OracleGain,
    Problem,
    Recommendation,
    Summary,
    TideShare,
)

ROW = ObjectRow(0, 7, "ring", 1.0, 2.0, 3.0, 4.0, 4.0, "small", "FOUND", "", "", 0.9, 0.8, "found", 0.8)


def rows(**rungs: int) -> list[ObjectRow]:
    """So many objects at each rung."""
    return [replace(ROW, rung=rung) for rung, count in rungs.items() for _ in range(count)]


def summary() -> Summary:
    whole = group_of(rows(ANCHOR_FIT=2, BOX_NMS=1, FOUND=5))
    return Summary(
        "shapes", "shapes:8:3", Thresholds(), 0.5, 4, whole.objects, whole.found, whole.waterfall,
        {"small": whole, "medium": group_of([]), "large": group_of([])}, {"ring": whole}, {"proposal": 2},
        {"Cls": TideShare(1, 0.25)}, CocoScores(0.5, 0.7, 0.6, None, 0.4, None),
        (OracleGain("ANCHOR_FIT", 0.75, 0.9, 0.25),),
        (Recommendation("box_nms", 0.5, 0.6, 3, 1, 0, 2, 0.5, None),),
        AnchorFit(((16.0, 24.0), (32.0, 48.0)), (0.5, 1.0), 0.4, 0.8), 12.5, (Problem(3, "a.png", "broken"),),
    )  # fmt: skip


def test_the_text_says_it_all() -> None:
    assert Summary.from_json(summary().to_json()) == summary()
    bare = replace(summary(), anchors=None, recommendations=(), oracle=(), problems=())
    assert Summary.from_json(bare.to_json()) == bare


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": "shapes"}', "null"])
def test_another_text_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="not the summary of a data-set diagnosis"):
        Summary.from_json(text)


def test_a_summary_with_a_field_too_many_is_refused() -> None:
    content = json.loads(summary().to_json()) | {"colour": "red"}
    with pytest.raises(ValueError, match="colour"):
        Summary.from_json(json.dumps(content))


def test_a_waterfall_falls_from_all_objects_to_the_found_ones() -> None:
    group = group_of(rows(RPN_NMS=3, FOUND=4, ANCHOR_FIT=2, MATCHED_ELSEWHERE=1))
    assert (group.objects, group.found, group.recall) == (10, 4, 0.4)
    assert [fall.rung for fall in group.waterfall] == [rung.name for rung in list(Rung)[:-1]]
    left = [group.objects, *(fall.left for fall in group.waterfall)]
    assert [above - below for above, below in itertools.pairwise(left)] == [
        fall.lost for fall in group.waterfall
    ]
    assert left[-1] == group.found


def test_nothing_falls_where_there_is_nothing() -> None:
    group = group_of([])
    assert (group.objects, group.found, group.recall) == (0, 0, None)
    assert all(fall.lost == fall.left == 0 for fall in group.waterfall)


@pytest.mark.parametrize(
    ("area", "size"),
    [(0.5, "small"), (1023.9, "small"), (1024, "medium"), (9215.9, "medium"), (9216, "large")],
)
def test_sizes_are_cocos(area: float, size: str) -> None:
    assert size_of(area) == size
