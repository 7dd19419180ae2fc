"""`boxscope why`: ladders on the command line, with what would bring an object back, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from detector import GroundTruth, Replayer, capture, diagnose, load_detector
from detector.data.images import read_image
from detector.explaining.ladder_text import ladder_text
from detector.explaining.remedies import remedy_for
from detector.explaining.survival import assert_survives
from detector.tracing.lineage import lineage_of_slot, trace_lineage
from detector.tracing.lineage_text import lineage_text
from viz_app import cli
from viz_app.figures.remedy_words import change_words
from viz_app.scenes import bundled_scenes


@pytest.fixture(scope="module")
def replayer() -> Replayer:
    detector, scene = load_detector("shapes"), bundled_scenes()[0]
    assert scene.annotations is not None
    return Replayer(
        capture(detector, read_image(scene.source), scene.annotations.known_to(detector)), detector
    )


def plain(text: str) -> str:
    """Without line breaks: a terminal wraps sentences."""
    return " ".join(text.split())


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.run(["why", *arguments]) == 0
    return capsys.readouterr().out


def test_every_annotated_object_has_its_ladder_and_the_lost_one_its_remedy(
    replayer: Replayer, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(capsys, "scene_00")
    text = plain(shown)
    assert isinstance(replayer.trace.ground_truth, GroundTruth)
    diagnosis = diagnose(replayer, replayer.trace.ground_truth)
    for verdict in diagnosis.verdicts:
        assert plain(ladder_text(diagnosis, verdict)) in text
    remedy = remedy_for(replayer, diagnosis, diagnosis.lost[0])
    assert remedy is not None and f"Smallest change: {change_words(remedy)}. Brings #3 back" in text
    false = diagnosis.false_positives[0]
    assert f"{false.score:.3f}, {false.cause}: {false.reason}" in text
    assert shown.endswith("5 of 6 objects found; 1 false positive.\n")
    assert max(map(len, shown.splitlines())) <= 100, "it fits a terminal"


def test_lineage_follows_each_object_and_false_positive_when_asked(
    replayer: Replayer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plain(printed(capsys, "scene_00", "--lineage"))
    truth = replayer.trace.ground_truth
    assert truth is not None
    diagnosis, names = diagnose(replayer, truth), replayer.trace.categories
    replay = diagnosis.replay
    for verdict in diagnosis.verdicts:
        slot = verdict.slot if verdict.detection is None else int(replay.detections.kept[verdict.detection])
        assert slot is not None
        assert plain(lineage_text(lineage_of_slot(replay, slot, verdict.object), names)) in text
    false = diagnosis.false_positives[0]
    assert plain(lineage_text(trace_lineage(replay, false.detection, false.object), names)) in text


@pytest.mark.parametrize(
    ("scene", "asked", "rung", "says"),
    [
        ("scene_00", ["--box=-1,-2,20,30", "--label=ring"], "RPN_RANK", "did not reach the second stage"),
        ("scene_00", ["--box=219,44,234,57", "--label=ring", "--rpn_post_nms_top_n=1"], "RPN_", "RoI none"),
        ("scene_01", ["--box=33,160,86,215", "--label=circle", "--iou=0.85"], "ROI_BOX", "pooled from level"),
    ],
)
def test_lineage_of_an_object_without_a_slot_is_what_came_of_its_best_anchor(
    capsys: pytest.CaptureFixture[str], scene: str, asked: list[str], rung: str, says: str
) -> None:
    ladder, _, way = printed(capsys, scene, *asked, "--lineage").partition("\n\n")
    assert f"lost at {rung}" in ladder
    assert way.lstrip().startswith("anchor ") and says in plain(way)


def test_json_says_the_same_for_one_box_under_other_thresholds(
    replayer: Replayer, capsys: pytest.CaptureFixture[str]
) -> None:
    said = json.loads(
        printed(capsys, "scene_00", "--box", "219,44,234,57", "--label", "ring", "--box_nms", "0.6", "--json")
    )
    assert said["thresholds"]["box_nms"] == 0.6 and "false_positives" not in said
    only = said["objects"][0]
    replay = replayer.replay(replayer.trace.thresholds.replace(box_nms=0.6))
    truth = replayer.trace.ground_truth
    assert truth is not None
    verdict = diagnose(replay, GroundTruth(truth.boxes[3:4], truth.labels[3:4])).verdicts[0]
    assert (only["category"], only["rung"], only["box"]) == ("ring", verdict.rung.name, [219, 44, 234, 57])
    assert [step["survivors"] for step in only["steps"]] == list(verdict.survivors)
    assert [step["rung"] for step in only["steps"]][:2] == ["ANCHOR_FIT", "RPN_BOX"]
    assert only["remedy"] is None and only["advice"] == [], "found, under this threshold"


def test_a_trace_file_answers_without_its_model(
    replayer: Replayer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replayer.trace.save(tmp_path / "a.trace", features=False)
    said = json.loads(printed(capsys, str(tmp_path / "a.trace"), "--json"))
    lost = [one for one in said["objects"] if one["rung"] != "FOUND"]
    assert [one["object"] for one in lost] == [3]
    assert lost[0]["evidence"]["object"] == 1, "the ring that suppressed it"
    assert lost[0]["remedy"]["field"] == "box_nms" and lost[0]["remedy"]["brings_back"] is True


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--box", "1,2,3", "--label", "ring"], "expected four numbers"),
        (["--box", "1,2,x,4", "--label", "ring"], "expected four numbers"),
        (["--box", "20,20,20,70", "--label", "ring"], "has no area"),
        (["--box", "500,500,600,600", "--label", "ring"], "outside the image of 256 × 256 px"),
        (["--box", "20,20,60,70", "--label", "disc"], "circle, triangle, square, star, cross, ring"),
        (["--box", "20,20,60,70"], "go together"), (["--label", "ring"], "go together"),
        (["--iou", "0"], "--iou is 0"), (["--box_nms", "2"], "box_nms"),
        (["--iou", "wide"], "--iou is 'wide'; expected a number"),
        (["--box_limit", "1.5"], "--box_limit is '1.5'; expected a whole number"),
        (["--box", "-1,2,30,40", "--label", "ring"], "--box=-4,30,40,61"),
        (["--box", "1,", "2,", "--label", "ring"], "2, is not understood"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_status_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["why", "scene_00", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and says in shown.err and shown.err.count("\n") == 1


def test_without_annotations_it_asks_for_a_box(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = bundled_scenes()[0].source
    assert isinstance(source, Path)
    (tmp_path / "photo.png").write_bytes(source.read_bytes())
    assert cli.run(["why", str(tmp_path / "photo.png")]) == 2
    assert "nothing is annotated on photo.png" in capsys.readouterr().err


def test_what_is_no_file_and_no_scene_is_told_which_scenes_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["why", "scene_99"]) == 2
    assert "no bundled scene; these are scene_00 to scene_11" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--model", "--target", "--weights"])
def test_a_trace_takes_no_model_and_no_annotations(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["why", str(tmp_path / "a.trace"), option, "shapes"]) == 2
    assert f"{option} goes with an image; a trace holds" in capsys.readouterr().err


def test_a_rung_by_its_name_is_refused_before_the_model_runs() -> None:
    named: Any = "FOUND"
    with pytest.raises(TypeError, match=r"rung is 'FOUND'; expected one of Rung, such as Rung.RPN_NMS"):
        assert_survives(load_detector("shapes"), "no such file", (1, 2, 3, 4), "ring", named)
