"""The strip: counts equal to the model's own, life-lines that add up, markup that holds against any name."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch
from support.models import random_image, shared_detector
from torch import Tensor

from detector import Detector, GroundTruth, Replay, Replayer, Thresholds, capture
from detector.explaining.ladder import diagnose
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Diagnosis, Verdict
from viz_app.figures.strip import DIES_AT, MOST_LINES, RUNG_WORDS, Stage, strip_of
from viz_app.figures.strip_html import strip_html, strip_text


class Markup(HTMLParser):
    """Reads markup strictly: every tag closed in order, and what the strip's elements hold."""

    VOID = frozenset({"line", "circle", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.tags: list[str] = []
        self.counts: dict[str, str] = {}
        self.classes: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.VOID
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        names = (self.open[-1][1].get("class") or "").split()
        for name in names:
            self.classes.setdefault(name, []).append(data)
        if "count" in names:
            self.counts[str(self.open[-2][1]["data-stage"])] = data


@pytest.fixture(scope="module")
def detector() -> Detector:
    return shared_detector("pyramid_per_class")


def truth_of(count: int, categories: int = 5) -> GroundTruth:
    starts = torch.arange(count, dtype=torch.float32)[:, None] * torch.tensor([[1.0, 0.7]])
    return GroundTruth(torch.cat((starts, starts + 24), dim=1), torch.arange(count) % categories + 1)


def replay_of(detector: Detector, objects: int = 7, thresholds: Thresholds | None = None) -> Replay:
    trace = capture(detector, random_image(3), truth_of(objects))
    return Replayer(trace, detector).replay(thresholds)


def ended_at(replay: Replay, rungs: list[Rung]) -> Diagnosis:
    """A diagnosis in which object i ended at rungs[i]."""
    truth = truth_of(len(rungs))
    verdicts = tuple(
        Verdict(index, rung, (), 0.4, 0 if rung is Rung.FOUND else None, None, f"reason {index}")
        for index, rung in enumerate(rungs)
    )
    return replace(diagnose(replay, truth), truth=truth, verdicts=verdicts)


def model_counts(detector: Detector, pixels: Tensor, thresholds: Thresholds) -> tuple[int, int]:
    """Proposals and detections of the real model under other thresholds."""
    model, before = detector.model, Thresholds.from_model(detector.model)
    proposals: list[int] = []
    handle = model.rpn.register_forward_hook(lambda _m, _i, output: proposals.append(len(output[0][0])))
    thresholds.apply_to(model)
    try:
        with torch.no_grad():
            detections = len(model([pixels])[0]["labels"])
    finally:
        before.apply_to(model)
        handle.remove()
    return proposals[0], detections


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_the_real_model(detector: Detector, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    own = Thresholds.from_model(detector.model)
    low = float(torch.rand((), generator=draw)) * 0.2
    thresholds = own.replace(
        rpn_nms=0.3 + 0.1 * seed, rpn_pre_nms_top_n=50 + 40 * seed, box_score=low, box_nms=0.2 + 0.2 * seed
    )
    image = random_image(seed)
    replay = Replayer(capture(detector, image), detector).replay(thresholds)
    counts = Markup(strip_html(strip_of(replay, None))).counts
    proposals, detections = model_counts(detector, image, thresholds)
    assert counts["proposals"] == f"{proposals:,}"
    assert counts["detections"] == f"{detections:,}"
    per_level = replay.trace.rpn.per_level
    assert counts["anchors"] == f"{sum(per_level):,}"
    assert counts["top_n"] == f"{sum(min(n, thresholds.rpn_pre_nms_top_n) for n in per_level):,}"
    assert counts["class_slots"] == f"{int((replay.class_scores[:, 1:] > low).sum()):,}"


def test_a_slot_whose_roi_went_to_another_class_does_not_pass() -> None:
    detector = shared_detector("pyramid_best_class")
    replay = Replayer(capture(detector, random_image(1)), detector).replay(
        Thresholds.from_model(detector.model).replace(box_score=0.0)
    )
    winners = int((replay.class_scores.argmax(dim=1) > 0).sum())
    assert strip_of(replay, None).chips[Stage.CLASS_SLOTS].count == f"{winners:,}"


def test_image_and_pyramid_say_their_sizes(detector: Detector) -> None:
    replay = replay_of(detector)
    chips = strip_of(replay, None).chips
    height, width = replay.trace.input.image_size
    assert chips[Stage.IMAGE].count == f"{width} × {height}"
    assert chips[Stage.PYRAMID].count == f"{len(replay.trace.rpn.grid)} maps"
    assert str(replay.trace.rpn.grid[0][0]) in chips[Stage.PYRAMID].note


def test_every_rung_has_a_stage_and_words() -> None:
    assert set(DIES_AT) == set(Rung) - {Rung.FOUND}
    assert set(RUNG_WORDS) == set(Rung)
    stages = [DIES_AT[rung] for rung in sorted(DIES_AT)]
    assert stages == sorted(stages), "a later rung never lies at an earlier stage"


def test_objects_alive_fall_only_where_objects_are_lost(detector: Detector) -> None:
    rungs = [
        Rung.FOUND,
        Rung.ANCHOR_FIT,
        Rung.RPN_RANK,
        Rung.RPN_NMS,
        Rung.ROI_CLASS,
        Rung.ROI_BOX,
        Rung.BOX_NMS,
    ]
    strip = strip_of(replay := replay_of(detector), ended_at(replay, rungs))
    assert [chip.alive for chip in strip.chips] == [7, 7, 6, 5, 4, 2, 1]
    assert [chip.lost for chip in strip.chips] == [(), (), (1,), (2,), (3,), (4, 5), (6,)]
    assert [line.lost_at for line in strip.lines] == [DIES_AT.get(rung) for rung in rungs]


def test_a_stage_that_loses_objects_says_how_many_and_which(detector: Detector) -> None:
    rungs = [Rung.RPN_NMS, Rung.ROI_CLASS, Rung.ROI_BOX, *[Rung.BOX_NMS] * 5, Rung.FOUND]
    strip = strip_of(replay := replay_of(detector, 9), ended_at(replay, rungs))
    markup = strip_html(strip)
    assert Markup(markup).classes["lost"] == ["lost #0", "lost #1 #2", "lost 5 objects"]
    assert 'title="lost here: #3 #4 #5 #6 #7"' in markup
    assert markup.count('class="chip loses"') == 3
    whole = strip_html(strip_of(replay, ended_at(replay, [Rung.FOUND] * 3)))
    assert "loses" not in whole and 'class="lost"' not in whole


@pytest.mark.parametrize("seed", range(3))
def test_a_real_diagnosis_ends_with_the_objects_that_were_found(detector: Detector, seed: int) -> None:
    image, truth = random_image(seed), truth_of(5)
    replay = Replayer(capture(detector, image, truth), detector).replay()
    diagnosis = diagnose(replay, truth, iou=0.3)
    strip = strip_of(replay, diagnosis)
    alive = [chip.alive or 0 for chip in strip.chips]
    assert alive == sorted(alive, reverse=True)
    assert alive[-1] == sum(verdict.rung is Rung.FOUND for verdict in diagnosis.verdicts)
    assert alive[0] - sum(len(chip.lost) for chip in strip.chips) == alive[-1]


def test_one_object_has_its_own_line_and_its_reason(detector: Detector) -> None:
    replay = replay_of(detector, 1)
    strip = strip_of(replay, ended_at(replay, [Rung.ROI_CLASS]))
    markup = Markup(strip_html(strip, clickable=[Stage.DETECTIONS]))
    assert len(strip.lines) == 1
    assert markup.classes["label"] == [f"#0 {detector.categories[1]}"]
    assert "reason 0" in markup.classes["in-words"][0]
    assert markup.classes["why"] == ["why?"]


def test_found_objects_carry_the_score_of_their_detection(detector: Detector) -> None:
    replay = replay_of(detector, 1, Thresholds.from_model(detector.model).replace(box_score=0.0))
    markup = Markup(strip_html(strip_of(replay, ended_at(replay, [Rung.FOUND]))))
    assert markup.classes["score"] == [f"{float(replay.scores[0]):.2f}"]
    assert "reason" not in markup.classes


def test_many_objects_are_grouped_by_where_they_end(detector: Detector) -> None:
    rungs = [Rung.FOUND] * 31 + [Rung.RPN_NMS] * 12 + [Rung.ROI_CLASS] * 7
    replay = replay_of(detector, len(rungs))
    strip = strip_of(replay, ended_at(replay, rungs))
    assert [line.label for line in strip.lines] == ["12 lost", "7 lost", "31 found"]
    assert sorted(index for line in strip.lines for index in line.objects) == list(range(50))
    assert strip.objects == 50
    markup = Markup(strip_html(strip, clickable=list(Stage)))
    assert "why" not in markup.classes, "a group has no single object to ask about"
    few = strip_of(replay, ended_at(replay, rungs[:MOST_LINES]))
    assert len(few.lines) == MOST_LINES


def test_without_ground_truth_it_shows_counts_alone(detector: Detector) -> None:
    strip = strip_of(replay_of(detector), None)
    markup = Markup(strip_html(strip))
    assert len(markup.counts) == len(Stage)
    assert not {"alive", "lines", "line", "reason"} & set(markup.classes)
    assert "No ground truth" in strip_text(strip)


def test_an_image_without_objects_has_no_lines(detector: Detector) -> None:
    replay = replay_of(detector, 0)
    strip = strip_of(replay, diagnose(replay, truth_of(0)))
    assert strip.objects == 0
    assert strip.lines == ()
    assert "0 of 0 objects found" in strip_text(strip)
    Markup(strip_html(strip))


def test_names_are_text_and_never_markup(detector: Detector) -> None:
    hostile = Detector(detector.model, ("background", *("<img src=x onerror=alert(1)>\"'&",) * 5), "x")
    replay = Replayer(capture(hostile, random_image(0), truth_of(2)), hostile).replay()
    diagnosis = ended_at(replay, [Rung.FOUND, Rung.ROI_CLASS])
    verdicts = tuple(replace(verdict, reason="</span><script>") for verdict in diagnosis.verdicts)
    text = strip_html(strip_of(replay, replace(diagnosis, verdicts=verdicts)), clickable=list(Stage))
    markup = Markup(text)
    assert not {"img", "script"} & set(markup.tags)
    assert "<img src=x onerror=alert(1)>" in "".join(markup.classes["label"])


def test_only_stages_with_a_page_are_buttons_and_the_shown_one_is_marked(detector: Detector) -> None:
    strip = strip_of(replay_of(detector), None)
    text = strip_html(strip, current=[Stage.TOP_N], clickable=[Stage.TOP_N, Stage.DETECTIONS])
    assert Markup(text).tags.count("button") == 2
    assert text.count('aria-current="step"') == 1
    assert 'data-stage="top_n"' in text.split('aria-current="step"')[0].rsplit("<button", 1)[1]
