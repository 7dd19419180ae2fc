"""The visualizers without a browser: as functions, and as `boxscope show` and `boxscope trace`."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.models import random_image, random_truth, shared_detector, single_map_detector

from detector import Replay, Replayer, Thresholds, Trace, capture, diagnose
from detector.data.images import read_image
from viz_app import cli
from viz_app.bundled import sample_images_folder
from viz_app.commands import looking
from viz_app.figures.strip import strip_of
from viz_app.figures.strip_html import strip_text
from viz_app.scenes import annotations_of, bundled_scenes
from viz_app.show import STAGES, check_target, show_fast_rcnn, show_full, show_rpn, strongest_overlay

SCENE = "scene_00.png"


@pytest.fixture(scope="module")
def replay() -> Replay:
    detector = shared_detector("pyramid_per_class")
    return Replayer(capture(detector, random_image(), random_truth()), detector).replay()


@pytest.fixture(scope="module")
def trace_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "scene.trace"
    assert cli.run(["trace", "scene_00", "--out", str(path)]) == 0
    return path


def pixels_of(path: Path) -> np.ndarray:
    """uint8 RGB [h, w, 3] of an image file."""
    return read_image(path).pixels.permute(1, 2, 0).numpy()


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, after exit status 2."""
    assert cli.run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("boxscope: ") and shown.err.count("\n") == 1
    return shown.err


def test_the_names_on_the_command_line_are_those_of_the_library() -> None:
    """They are written out a second time so that `--help` does not import torch."""
    assert tuple(STAGES) == looking.STAGES
    fields = dataclasses.fields(Thresholds)
    assert {field.name: type(field.default) for field in fields} == {
        n: k for n, (k, _) in looking.KNOBS.items()
    }


def test_the_rpn_is_shown_filter_by_filter(replay: Replay) -> None:
    panels = {panel.title: panel for panel in show_rpn(replay).sheet.panels}
    assert panels["Objectness"].overlay is not None
    before, after = panels["The 20 strongest anchors"].groups
    best = replay.trace.rpn.objectness.topk(20).indices
    assert before.dash == "dot" and torch.equal(
        before.boxes, replay.trace.to_image(replay.trace.rpn.anchors[best])
    )
    assert torch.equal(after.boxes, replay.trace.to_image(replay.proposals.boxes[best]))
    left = [panels[name].groups[0] for name in ("After the top-n of each level", "After NMS", "Proposals")]
    totals = [group.total for group in left]
    assert totals == sorted(totals, reverse=True)
    assert totals[1:] == [len(replay.proposals.winners), len(replay.proposals.kept)]


def test_fast_rcnn_shows_rois_refinement_and_detections(replay: Replay) -> None:
    rois, moved, found = show_fast_rcnn(replay).sheet.panels
    assert sum(len(group) for group in rois.groups) == len(replay.head.boxes)
    assert torch.equal(moved.groups[0].boxes, replay.trace.to_image(replay.head.boxes[replay.rois]))
    assert torch.equal(moved.groups[1].boxes, replay.boxes)
    assert sum(len(g) for g in found.groups if g.name == "detections") == len(replay.labels)


def test_the_whole_network_says_what_was_found_in_words(replay: Replay) -> None:
    truth = replay.trace.ground_truth
    assert truth is not None
    diagnosis = diagnose(replay, truth)
    sheet = show_full(replay).sheet
    assert sheet.words == (strip_text(strip_of(replay, diagnosis)),)
    counted = {group.name: len(group) for group in sheet.panels[0].groups}
    assert counted.get("lost", 0) == len(diagnosis.lost)
    assert counted.get("false positives", 0) == len(diagnosis.false_detections)


@pytest.mark.parametrize("stage", STAGES)
def test_every_view_stands_a_single_map_and_no_ground_truth_and_nothing_found(stage: str) -> None:
    detector = single_map_detector()
    replayer = Replayer(capture(detector, random_image(2, (64, 160))), detector)
    nothing = replayer.replay(replayer.trace.thresholds.replace(box_score=1.0, rpn_score=1.0))
    for shown in (replayer.replay(), nothing):
        view = STAGES[stage](shown)
        image = view.image()
        assert image.dtype == np.uint8 and image.shape[2] == 3
        assert len(view.figures()) == len(view.sheet.panels)


def test_the_strongest_level_wins_at_each_place() -> None:
    faint, solid = torch.zeros((2, 2, 4), dtype=torch.uint8), torch.zeros((2, 2, 4), dtype=torch.uint8)
    faint[..., 3], solid[0, 0] = 5, torch.tensor([9, 8, 7, 200])
    found = strongest_overlay([faint, solid])
    assert found[0, 0].tolist() == [9, 8, 7, 200]
    assert found[1, 1].tolist() == [0, 0, 0, 5]


def test_a_view_is_saved_as_its_ending_says(replay: Replay, tmp_path: Path) -> None:
    view = show_full(replay)
    assert np.array_equal(pixels_of(view.save(tmp_path / "view.PNG")), view.image())
    page = view.save(tmp_path / "view.html").read_text()
    assert page.startswith("<!doctype html>") and "Plotly.newPlot" in page
    assert view._repr_png_()[:4] == b"\x89PNG"
    for name, named in (("view.gif", ".png or .html"), ("no/view.png", "no folder")):
        with pytest.raises(ValueError, match=named):
            view.save(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match="folder"):
        check_target(tmp_path / "folder.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.png", "view.PNG", "view.html"]


def test_the_command_draws_a_bundled_scene_as_the_function_does(tmp_path: Path) -> None:
    out = tmp_path / "rpn.png"
    assert cli.run(["show", "scene_00", "--stage", "rpn", "--out", str(out), "--rpn_nms", "0.5"]) == 0
    from detector.models.zoo import load_detector

    detector, scene = load_detector("shapes"), bundled_scenes()[0]
    assert scene.annotations is not None
    replayer = Replayer(capture(detector, scene.source, scene.annotations.known_to(detector)), detector)
    expected = show_rpn(replayer.replay(replayer.trace.thresholds.replace(rpn_nms=0.5))).image()
    assert np.array_equal(pixels_of(out), expected)


def test_a_trace_is_shown_without_its_model(
    trace_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "view.png"
    assert cli.run(["show", str(trace_file), "--out", str(out), "--box_score", "0.3"]) == 0
    trace = Trace.load(trace_file)
    assert trace.ground_truth is not None, "a bundled scene brings its objects along"
    expected = show_full(Replayer(trace).replay(trace.thresholds.replace(box_score=0.3))).image()
    assert np.array_equal(pixels_of(out), expected)
    capsys.readouterr()
    out.unlink()
    assert "did not record" in refusal(
        ["show", str(trace_file), "--out", str(out), "--rpn_nms", "0.95"], capsys
    )
    assert not out.exists()


def test_objects_come_from_annotations_by_the_name_of_the_file(tmp_path: Path) -> None:
    scene = bundled_scenes()[1]
    assert scene.annotations is not None and isinstance(scene.source, Path)
    moved = tmp_path / scene.source.name
    moved.write_bytes(scene.source.read_bytes())
    known = annotations_of(sample_images_folder() / "annotations.json", moved)
    assert known.categories == scene.annotations.categories
    assert torch.equal(known.truth.boxes, scene.annotations.truth.boxes)
    assert torch.equal(known.truth.labels, scene.annotations.truth.labels)
    with pytest.raises(ValueError, match="none of its 12 images is called other"):
        annotations_of(sample_images_folder(), tmp_path / "other.png")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["show", "scene_00", "--out", "view.gif"], ".png or .html"),
        (["show", "scene_00", "--out", "nowhere/view.png"], "no folder"),
        (["show", "scene_00", "--out", "view.png", "--stage", "cnn"], "cnn"),
        (["show", "scene_00", "--out", "view.png", "--box_score", "2"], "box_score is 2.0"),
        (["show", "scene_00", "--out", "view.png", "--box_limit", "few"], "few"),
        (["show", "scene_00", "--out", "view.png", "--model", "shapez"], "shapez"),
        (["show", "no_such.png", "--out", "view.png"], "no_such.png"),
        (["show", "no_such.trace", "--out", "view.png"], "no_such.trace"),
        (["show", "scene_00", "--out", "view.png", "--target", "none.json"], "none.json"),
        (["show", "scene_00"], "out"),
        (["trace", "scene_00", "--out", "view.png"], ".trace"),
        (["trace", "no_such.png", "--out", "a.trace"], "no_such.png"),
        (["trace", "old.trace", "--out", "a.trace"], "a trace already"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert named in refusal(arguments, capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_category_that_the_model_lacks_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((sample_images_folder() / "annotations.json").read_text())
    for category in content["categories"]:
        category["name"] = f"{category['name']} of 1900"
    target = tmp_path / "other.json"
    target.write_text(json.dumps(content))
    image = sample_images_folder() / SCENE
    said = refusal(["show", str(image), "--target", str(target), "--out", str(tmp_path / "v.png")], capsys)
    assert "of 1900" in said and "shapes knows no category" in said


def test_showing_costs_no_streamlit_and_no_training_library() -> None:
    statement = (
        "import sys, viz_app.show; print('\\n'.join({name.partition('.')[0] for name in sys.modules}))"
    )
    root = Path(__file__).parents[1]
    shown = subprocess.run(
        [sys.executable, "-c", statement], capture_output=True, text=True, check=True, cwd=root
    )
    assert not {"streamlit", "lightning", "optuna"} & set(shown.stdout.split())
