"""`boxscope why`: ladders on the command line, with what would bring an object back, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector import GroundTruth, Replayer, capture, diagnose, load_detector
from detector.data.images import read_image
from detector.explaining.ladder_text import ladder_text
from detector.explaining.remedies import remedy_for
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


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.run(["why", *arguments]) == 0
    return capsys.readouterr().out


def test_every_annotated_object_has_its_ladder_and_the_lost_one_its_remedy(
    replayer: Replayer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "scene_00")
    assert isinstance(replayer.trace.ground_truth, GroundTruth)
    diagnosis = diagnose(replayer, replayer.trace.ground_truth)
    for verdict in diagnosis.verdicts:
        assert ladder_text(diagnosis, verdict) in text
    remedy = remedy_for(replayer, diagnosis, diagnosis.lost[0])
    assert remedy is not None and f"Smallest change: {change_words(remedy)}. Brings #3 back" in text
    false = diagnosis.false_positives[0]
    assert f"{false.score:.3f}, {false.cause}: {false.reason}" in text
    assert text.endswith("5 of 6 objects found; 1 false positive.\n")


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
