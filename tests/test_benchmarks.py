"""What the benchmarks compute with; what they measure is not judged here."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path

import numpy as np
import pytest
from support.docs_benchmarks import benchmarks as document

from benchmarks import evaluation, measure
from benchmarks.__main__ import ORDER, main
from benchmarks.box_what_if import moving
from benchmarks.curves import Curve, exponent, report_curves, upper_half
from benchmarks.growth import IMAGES, Point, by_images, calls_of, measured, score_of, tiny
from benchmarks.growth_notes import explained, kept_for_each
from benchmarks.machine import machine, processor, version_of
from benchmarks.measure import Measure, alternate, in_turn, report
from benchmarks.memory import memory_of
from benchmarks.subject import image
from detector import Replayer, capture

X = (1.0, 3.0, 10.0, 30.0, 100.0)
MIB = 2**20


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.7, 2.0])
def test_the_exponent_of_a_power_law_is_its_own(power: float) -> None:
    assert exponent(X, [3 * x**power for x in X]) == pytest.approx(power)


def test_the_upper_half_sees_what_a_constant_hides() -> None:
    curve = Curve("what", "against", X, tuple(100 + x**2 for x in X))
    assert curve.exponent < 1.1 < curve.upper_exponent < 2
    assert curve.unexplained
    assert not Curve("what", "against", X, curve.y, note="because").unexplained
    assert not Curve("what", "against", X, X).unexplained


def test_the_upper_half_begins_at_the_middle_of_the_logarithms() -> None:
    assert upper_half(X) == 2
    assert upper_half((1.0, 4.0, 100.0)) == 2
    # Of two points both are looked at.
    two = Curve("what", "against", (1.0, 10.0), (1.0, 100.0))
    assert two.exponent == two.upper_exponent == pytest.approx(2)


@pytest.mark.parametrize("y", [(1.0,), (1.0, 2.0)])
def test_a_curve_needs_two_points_and_a_value_for_each(y: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected two or more"):
        Curve("what", "against", (1.0,), y)


def test_ways_are_called_to_and_fro_and_warm_rounds_do_not_count() -> None:
    said: list[str] = []
    calls = [lambda: said.append("a"), lambda: said.append("b"), lambda: said.append("c")]
    assert len(in_turn(calls, rounds=2)) == 3
    assert "".join(said) == "cba" + "abc" + "cba"
    assert len(alternate(calls[0], calls[1], rounds=1, warm=0)) == 2
    assert "".join(said[9:]) == "ab"


def test_a_row_has_a_bar_or_none_and_says_which(results: Path) -> None:
    rows = [
        Measure("fine", 1.0, 2.0, 0.5),
        Measure("late", 1.1, 2.0, 0.5),
        Measure("faster", 1.0, 2.0, 3.0, at_most=False),
        Measure("a tool", 1.0, 4.0),
        Measure("room", 3.0 * MIB, 6.0 * MIB, unit="B"),
    ]
    assert [row.holds for row in rows] == [True, False, False, None, None]
    assert [row.ratio for row in rows] == pytest.approx([0.5, 0.55, 2.0, 0.25, 0.5])
    report("some name: this against that", rows, ["Somebody is not installed."])
    found = json.loads((results / "some_name.json").read_text())
    assert found["machine"]["torch"] and found["notes"] == ["Somebody is not installed."]
    text = document(results)
    for line in (
        "## Some name",
        "| fine | 1,000.00 ms | 2,000.00 ms | 0.500 | ≤ 0.5 | holds |",
        "| late | 1,100.00 ms | 2,000.00 ms | 0.550 | ≤ 0.5 | **missed** |",
        "| faster | 1,000.00 ms | 2,000.00 ms | 2.000 | ≥ 3 | **missed** |",
        "| a tool | 1,000.00 ms | 4,000.00 ms | 0.250 |  | peer |",
        "| room | 3.00 MiB | 6.00 MiB | 0.500 |  | peer |",
        "Somebody is not installed.",
    ):
        assert line in text.splitlines()


def test_what_is_worse_than_linear_is_explained_or_said_to_be_not(results: Path) -> None:
    steep = tuple(x**2 / 1000 for x in X)
    curves = [
        Curve("replay", "proposals", X, steep),
        Curve("replay", "objects", X, steep, note="All pairs."),
        Curve("memory", "images", X, tuple(x * MIB for x in X), "B"),
    ]
    report_curves("growth: times", curves)
    text = document(results)
    points = "1: 1, 3: 9, 10: 100, 30: 900, 100: 10,000 ms"
    assert (
        f"| replay | proposals | {points} | 2.00 | **2.00** | **worse than linear, not explained** |" in text
    )
    assert f"| replay | objects | {points} | 2.00 | **2.00** | All pairs. |" in text
    assert "| memory | images | 1: 1, 3: 3, 10: 10, 30: 30, 100: 100 MiB | 1.00 | 1.00 |  |" in text


def test_a_reason_is_given_only_where_one_is_needed() -> None:
    steep = tuple(x**2 for x in X)
    assert "NMS" in explained(Curve("box replay", "proposals", X, steep)).note
    assert explained(Curve("box replay", "proposals", X, X)).note == ""
    assert explained(Curve("box replay", "something else", X, steep)).unexplained


def test_everything_that_is_done_with_one_image_is_measured() -> None:
    detector = tiny()
    curves = list(measured("size", [Point(1, calls_of(detector)), Point(2, calls_of(detector))], rounds=1))
    assert [curve.what for curve in curves] == ["capture", "box replay", "RPN replay", "verdicts"]
    assert all(curve.x == (1, 2) and min(curve.y) > 0 for curve in curves)


def test_a_box_replay_is_asked_something_new_each_time() -> None:
    trace = capture(tiny(), image())
    replayer = Replayer(trace)
    replay = replayer.replay()
    score = score_of(replay.class_scores, 10)
    assert int((replay.class_scores[:, 1:] >= score).sum()) == 10
    asked = moving(trace.thresholds, score)
    first, second = (replayer.replay(next(asked)) for _ in range(2))
    assert first.detections is not second.detections
    same = replayer.replay(second.thresholds)
    assert same.detections is second.detections, "nothing is remembered any more: `moving` is not needed"


def test_a_data_set_is_measured_in_time_and_memory() -> None:
    time_taken, memory = by_images((2, 4))
    assert (time_taken.what, time_taken.unit, memory.unit) == ("data-set diagnosis", "s", "B")
    assert time_taken.against == memory.against == IMAGES and time_taken.x == memory.x == (2, 4)
    assert min(time_taken.y) > 0
    assert kept_for_each((10, 20), (5 * 1024.0, 15 * 1024.0)).startswith("1 KiB for each further image")


def test_pycocotools_and_ours_say_the_same_or_the_benchmark_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    images = evaluation.scenes(6)
    evaluation.check(images)
    assert 0.01 < evaluation.ours(images) < 0.99
    monkeypatch.setattr(evaluation, "ours", lambda images: evaluation.pycocotools(images) + 1e-6)
    with pytest.raises(AssertionError, match="pycocotools"):
        evaluation.check(images)


def test_memory_is_that_of_the_highest_moment_and_of_what_is_kept() -> None:
    def for_a_moment() -> None:
        room = np.ones(64 * MIB, dtype=np.uint8)
        time.sleep(0.3)
        del room

    passing = memory_of(for_a_moment)
    assert passing.peak > 48 * MIB > 16 * MIB > passing.kept
    kept = memory_of(lambda: np.ones(64 * MIB, dtype=np.uint8))
    assert kept.peak >= kept.kept > 48 * MIB


def test_the_machine_is_named_as_far_as_it_tells(tmp_path: Path) -> None:
    listing = tmp_path / "cpuinfo"
    listing.write_text("processor\t: 0\nmodel name\t: Some Processor 3000\n\nmodel name\t: Another\n")
    assert processor(listing) == "Some Processor 3000"
    listing.write_text("processor\t: 0\n")
    assert processor(listing) == ""
    assert version_of("no-such-package-at-all") == ""
    assert machine()["torch"] == version_of("torch") != ""


def test_all_benchmarks_are_there_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(importlib.util.find_spec(f"benchmarks.{name}") for name in ORDER)
    assert main(["capture", "nonsense"]) == 2
    assert "nonsense: no such benchmark" in capsys.readouterr().err
