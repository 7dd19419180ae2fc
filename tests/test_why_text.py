"""The ladder in words: each rung says its own numbers, and a test that asks for a rung gets the ladder back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.lost import LOST, RING, lost_at
from support.models import MovedBoxes, build_detector, random_image, shared_detector

from detector import Replayer, capture, diagnose
from detector.explaining.evidence_words import evidence_sentence, evidence_words
from detector.explaining.ladder_text import RUNG_NAMES, bar_share, ladder_text, narrowest, step_words, story
from detector.explaining.rungs import Rung
from detector.explaining.survival import assert_survives, category_index, one_object
from detector.explaining.verdicts import Step, Verdict

LADDER = list(Rung)[:-1]
SAYS = {
    Rung.ANCHOR_FIT: ("nearest reaches IoU 0.00", "20 × 20 px"),
    Rung.RPN_BOX: ("fits with IoU 1.00", "IoU 0.00 afterwards"),
    Rung.RPN_RANK: ("number 2 on level 0", "0.400", "limit is 1", "0.900"),
    Rung.RPN_SCORE: ("objectness of 0.400", "asks for 0.5"),
    Rung.RPN_NMS: ("best proposal (0.400)", "stronger one (0.900)", "IoU 0.43", "the 0.3", "same object"),
    Rung.RPN_LIMIT: ("number 2 among the image's proposals", "limit is 1"),
    Rung.ROI_BOX: ("RoI covers it with IoU 1.00", "for ring reaches only 0.00"),
    Rung.ROI_CLASS: ("called its best RoI background", "background 0.900", "ring 0.030", "exceed 0.05"),
    Rung.BOX_NMS: ("best ring box (0.600)", "stronger one (0.950)", "IoU 0.43", "the 0.3"),
    Rung.BOX_LIMIT: ("number 2 among the image's detections", "0.600", "0.950"),
    Rung.MATCHED_ELSEWHERE: ("Detection 0 fits it with IoU 0.83", "belongs to #1 ring", "1.00"),
}


@pytest.mark.parametrize("rung", LADDER)
def test_each_rung_says_its_own_numbers(rung: Rung) -> None:
    diagnosis, verdict = lost_at(rung)
    sentence = evidence_sentence(diagnosis, verdict)
    for words in SAYS[rung]:
        assert words in sentence
    assert sentence.endswith(".") and sentence in story(diagnosis, verdict)
    assert 0 < len(evidence_words(diagnosis, verdict)) < 60


@pytest.mark.parametrize("rung", list(LOST))
def test_the_text_has_a_line_for_each_rung_and_marks_the_one_where_it_ends(rung: Rung) -> None:
    diagnosis, verdict = lost_at(rung)
    head, *lines = ladder_text(diagnosis, verdict).splitlines()
    assert head.startswith("#0 ring [20.0, 20.0, 40.0, ")
    assert head.endswith("found") if rung is Rung.FOUND else f"lost at {rung.name}" in head
    for step, line in zip(LADDER, lines, strict=False):
        assert line[2:].startswith(RUNG_NAMES[step])
        assert line.startswith("x") == (step is rung)
        assert ("·" in line) == (step > rung)
        passed = verdict.survivors[step] if step < rung else 0
        assert ("#" in line.partition(": ")[0]) == (passed > 0)
    assert story(diagnosis, verdict) in lines[-1]


def test_bars_are_logarithmic_and_never_vanish() -> None:
    assert bar_share(0, 100) == 0
    assert bar_share(100, 100) == 1
    assert 0.1 < bar_share(1, 1000) < bar_share(10, 1000) < 0.5 < bar_share(500, 1000) < 1


def test_steps_say_what_matters_at_their_rung() -> None:
    thresholds = lost_at(Rung.FOUND)[0].replay.thresholds
    assert step_words(Step(Rung.ANCHOR_FIT, 41, 0.714, None), thresholds) == "41 anchors, best IoU 0.71"
    assert step_words(Step(Rung.RPN_BOX, 1, 0.5, None), thresholds) == "1 box, best IoU 0.50"
    assert step_words(Step(Rung.RPN_RANK, 1200), thresholds) == "1,200 in the top 1,000 of their level"
    assert step_words(Step(Rung.ROI_CLASS, 2, 0.5, 0.8431), thresholds) == "2 over 0.05, best score 0.843"


def test_the_narrowest_rung_keeps_the_smallest_share() -> None:
    counts = (40, 38, 12, 12, 2, 2, 2, 2, 1, 1, 1)
    steps = tuple(Step(rung, count) for rung, count in zip(LADDER, counts, strict=True))
    found = narrowest(Verdict(0, Rung.FOUND, steps, 0.9, 0, 0, "found"))
    assert found is not None and (found[0].rung, found[1]) == (Rung.RPN_NMS, 12)
    flat = tuple(Step(rung, 3) for rung in LADDER)
    assert narrowest(Verdict(0, Rung.FOUND, flat, 0.9, 0, 0, "found")) is None


# --- assert_survives ---


def test_an_object_survives_every_rung_below_its_verdict_and_no_other() -> None:
    detector, image = shared_detector("pyramid_per_class"), random_image(1)
    trace = capture(detector, image)
    replay = Replayer(trace, detector).replay()
    # Any proposal's own box got past RPN_LIMIT; where it ends after that is what `diagnose` says.
    boxes = trace.to_image(replay.head.boxes)
    box = next(one for one in boxes if bool((one[2:] - one[:2] > 4).all()))
    rung = diagnose(replay, one_object(box, 2, trace.categories, trace.input.image_size)).verdicts[0].rung
    assert rung > Rung.RPN_LIMIT
    for step in LADDER:
        if step < rung:
            assert_survives(detector, image, box, trace.categories[2], step)
            continue
        with pytest.raises(AssertionError, match=f"did not get past {step.name}"):
            assert_survives(detector, image, box, 2, step)


def test_nothing_is_asserted_of_a_model_whose_output_the_ladder_does_not_explain() -> None:
    detector = build_detector("pyramid_per_class")
    detector.model.roi_heads.__class__ = MovedBoxes
    with pytest.raises(ValueError, match="does not reproduce the output"):
        assert_survives(detector, random_image(1), (10, 10, 60, 60), 2, Rung.ANCHOR_FIT)


def test_the_failure_shows_the_ladder_under_the_given_thresholds() -> None:
    detector, image = shared_detector("pyramid_per_class"), random_image(1)
    trace = capture(detector, image)
    box = trace.to_image(Replayer(trace, detector).replay().head.boxes[0])
    tight = trace.thresholds.replace(box_score=1.0)
    with pytest.raises(AssertionError) as failure:
        assert_survives(detector, image, box, 1, Rung.FOUND, thresholds=tight)
    message = str(failure.value)
    assert re.search(r"^x (RoI box|RoI class) ", message, re.MULTILINE)
    assert message.splitlines()[1].startswith(f"#0 {trace.categories[1]} [")


def test_the_example_of_the_documentation_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[1]
    monkeypatch.chdir(root)
    code = re.search(
        r"```python\n(.*?)```", (root / "docs" / "testing.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert code is not None
    names: dict[str, Callable[[], None]] = {}
    exec(code[1], names)
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) == 2
    for name in tests:
        names[name]()


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ((10, 10, 10, 20), "has no area"), ((200, 10, 220, 30), "outside the image of 100 × 80 px"),
        ((1, 2, 3), "four finite numbers"), ((1, 2, float("nan"), 4), "four finite numbers"),
    ],
)  # fmt: skip
def test_a_box_that_cannot_be_is_refused(box: tuple[float, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        one_object(box, 1, ("background", "ring"), (80, 100))


def test_a_category_goes_by_name_or_index() -> None:
    names = ("background", "ring", "cross")
    assert category_index("cross", names) == category_index(2, names) == 2
    truth = one_object(torch.tensor(RING), "cross", names, (100, 100))
    assert truth.labels.tolist() == [2] and truth.boxes.tolist() == [list(RING)]
    for wrong in ("disc", "background", 0, 3, True):
        with pytest.raises(ValueError, match="ring, cross"):
            category_index(wrong, names)
