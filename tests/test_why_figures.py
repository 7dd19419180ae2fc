"""What the Why? page draws: bars, facts, boxes and tiles with the very numbers of the verdict."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from support.lost import AWAY, LOST, NEAR, RING, lost_at, lost_replay
from support.models import random_image, random_truth, shared_detector

from detector import GroundTruth, Replayer, capture, diagnose
from detector.explaining.false_positives import Cause
from detector.explaining.price import price_between
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Diagnosis
from viz_app.figures.concerned import Role, concerned_boxes, false_positive_boxes, seen_instead
from viz_app.figures.evidence_facts import Fact, evidence_facts
from viz_app.figures.evidence_picture import Tile, crop_around, evidence_tiles, tiles_of, why_groups
from viz_app.figures.ladder import ladder_rows, rung_question
from viz_app.figures.ladder_html import cause_html, ladder_html
from viz_app.figures.ladder_picture import ladder_picture
from viz_app.figures.palette import ACCENT, FOUND, ORANGE
from viz_app.figures.palette import LOST as RED
from viz_app.figures.price_picture import price_groups
from viz_app.figures.why_words import aside, covered_by, false_positive_aside, false_positive_story
from viz_app.links import Selected

LADDER = list(Rung)[:-1]


@pytest.mark.parametrize("rung", list(LOST))
def test_rows_follow_the_survivors_and_end_where_the_verdict_ends(rung: Rung) -> None:
    diagnosis, verdict = lost_at(rung)
    rows = ladder_rows(diagnosis, verdict)
    assert [row.rung for row in rows] == LADDER
    assert tuple(row.survivors for row in rows) == verdict.survivors
    expected = ["passed" if one < rung else "lost" if one is rung else "beyond" for one in LADDER]
    assert [row.state for row in rows] == expected
    shares = [row.share for row in rows]
    assert shares == sorted(shares, reverse=True) and all(0 <= share <= 1 for share in shares)
    assert all((row.share > 0) == (row.state == "passed") for row in rows)
    assert all(bool(row.words) == (row.state != "beyond") for row in rows)
    assert all(row.asks == rung_question(row.rung, 0.5) and row.asks.endswith("?") for row in rows)


@pytest.mark.parametrize("rung", list(LOST))
def test_the_markup_says_each_rung_to_a_screen_reader(rung: Rung) -> None:
    diagnosis, verdict = lost_at(rung)
    markup = ladder_html(
        ladder_rows(diagnosis, verdict), [Fact("a<b", "1&2")], evidence_tiles(diagnosis, verdict)
    )
    assert re.findall(r'<li class="(\w+)" data-rung="(\w+)"', markup) == [
        (row.state, row.rung.name) for row in ladder_rows(diagnosis, verdict)
    ]
    assert markup.count('aria-current="step"') == (rung is not Rung.FOUND)
    assert markup.count("not reached") == max(0, len(LADDER) - 1 - rung)
    assert markup.count('class="opened"') == 1 and "a&lt;b" in markup and "1&amp;2" in markup
    opened_in_the_lost_row = re.search(
        r'<li class="lost"[^>]*><div class="row".*?</div><div class="opened"', markup
    )
    assert bool(opened_in_the_lost_row) == (rung is not Rung.FOUND)
    assert markup.count("<img alt=") == len(concerned_boxes(diagnosis, verdict))


def test_without_evidence_no_rung_is_opened() -> None:
    assert 'class="opened"' not in ladder_html(ladder_rows(*lost_at(Rung.FOUND)))
    assert 'aria-label="Cause: poor box"' in cause_html(Cause.POOR_BOX, [])


FACTS = {
    Rung.ANCHOR_FIT: {"object in the network": "20 × 20 px", "their IoU": "0.000", "needed": "0.5"},
    Rung.RPN_BOX: {"anchor's IoU": "1.000", "after its deltas": "0.000"},
    Rung.RPN_RANK: {
        "its rank": "2",
        "last rank that passes": "1",
        "level": "0",
        "score at the cut": "0.9000",
    },
    Rung.RPN_SCORE: {"objectness": "0.4000", "floor": "0.5"},
    Rung.RPN_NMS: {"its score": "0.4000", "IoU of both": "0.429", "NMS allows": "0.3"},
    Rung.RPN_LIMIT: {"its rank": "2", "last rank that passes": "1"},
    Rung.ROI_BOX: {"RoI's IoU": "1.000", "refined box's IoU": "0.000"},
    Rung.ROI_CLASS: {"ring": "0.0300", "must exceed": "0.05", "background": "0.9000", "margin": "0.8700"},
    Rung.BOX_NMS: {"its score": "0.6000", "suppressor's score": "0.9500", "IoU of both": "0.429"},
    Rung.BOX_LIMIT: {"its rank": "2", "its score": "0.6000"},
    Rung.MATCHED_ELSEWHERE: {"IoU with it": "0.833", "with #1 ring": "1.000"},
    Rung.FOUND: {},
}


BOXES = {
    Rung.ANCHOR_FIT: {Role.CANDIDATE: AWAY},
    Rung.RPN_BOX: {Role.BEFORE: RING},
    Rung.RPN_RANK: {Role.CANDIDATE: RING},
    Rung.RPN_SCORE: {Role.CANDIDATE: RING},
    Rung.RPN_NMS: {Role.CANDIDATE: RING, Role.INSTEAD: NEAR},
    Rung.RPN_LIMIT: {Role.CANDIDATE: RING},
    Rung.ROI_BOX: {Role.BEFORE: RING},
    Rung.ROI_CLASS: {Role.CANDIDATE: RING},
    Rung.BOX_NMS: {Role.CANDIDATE: RING, Role.INSTEAD: NEAR},
    Rung.BOX_LIMIT: {Role.CANDIDATE: RING},
    Rung.MATCHED_ELSEWHERE: {Role.CANDIDATE: RING, Role.INSTEAD: RING},
    Rung.FOUND: {Role.TRUE: RING},
}


@pytest.mark.parametrize("rung", list(LOST))
def test_facts_and_boxes_are_those_of_the_evidence(rung: Rung) -> None:
    diagnosis, verdict = lost_at(rung)
    facts = {fact.name: fact.value for fact in evidence_facts(diagnosis, verdict)}
    assert FACTS[rung].items() <= facts.items() and bool(facts) == (rung is not Rung.FOUND)
    own, *others = concerned_boxes(diagnosis, verdict)
    assert own.role is Role.OBJECT and own.words == "#0 ring"
    assert torch.equal(own.box, diagnosis.truth.boxes[0])
    found = {one.role: one.box for one in others}
    for role, box in BOXES[rung].items():
        assert torch.allclose(found[role], torch.tensor(box, dtype=torch.float32), atol=1e-3)


def test_what_was_seen_instead_is_the_detection_that_overlaps_most() -> None:
    diagnosis, _ = lost_at(Rung.BOX_NMS)
    seen = seen_instead(diagnosis, 0)
    assert seen is not None and torch.allclose(
        diagnosis.replay.boxes[seen], torch.tensor(NEAR).float(), atol=1e-3
    )
    assert seen_instead(lost_at(Rung.ANCHOR_FIT)[0], 0) is None


def test_the_picture_draws_everything_else_thin_and_what_is_asked_about_once() -> None:
    diagnosis, verdict = lost_at(Rung.MATCHED_ELSEWHERE)
    about = Selected("object", 0)
    groups = {
        group.name: group
        for group in why_groups(diagnosis.replay, diagnosis, concerned_boxes(diagnosis, verdict), about=about)
    }
    assert groups["other objects"].items == (Selected("object", 1),)
    assert groups["the object"].items == () and groups["the object"].color == RED
    assert groups["its best candidate"].color == ORANGE and groups["seen instead"].color == ACCENT
    widths = [group.width for group in groups.values()]
    assert widths == sorted(widths), "what is asked about is drawn last, and wider"
    found = why_groups(diagnosis.replay, None, concerned_boxes(*lost_at(Rung.FOUND)), found=True)
    assert [group.color for group in found if group.name == "the object"] == [FOUND]
    assert "other objects" not in {group.name for group in found}


def test_tiles_show_one_place_with_the_object_on_each() -> None:
    tiles = evidence_tiles(*lost_at(Rung.BOX_NMS))
    assert [tile.color for tile in tiles] == [RED, ORANGE, ACCENT]
    assert len({tile.image.shape for tile in tiles}) == 1
    red = np.array([0xC0, 0x39, 0x2B])
    assert all((np.abs(tile.image.astype(int) - red).max(axis=-1) < 40).any() for tile in tiles)
    assert all(tile.uri.startswith("data:image/jpeg;base64,") for tile in tiles)


@pytest.mark.parametrize(
    "boxes", [[(0, 0, 100, 80)], [(-20, -20, 3, 3)], [(95, 70, 140, 120), (10, 10, 20, 20)], [(5, 5, 5, 5)]]
)
def test_a_crop_lies_in_the_image_and_holds_what_of_the_boxes_does(boxes: list[tuple[float, ...]]) -> None:
    pixels = torch.zeros((3, 80, 100), dtype=torch.uint8)
    piece, place = crop_around(pixels, [torch.tensor(box, dtype=torch.float32) for box in boxes])
    height, width = piece.shape[1:]
    x, y = place[:2].tolist()
    assert height >= 16 and width >= 16 and x >= 0 and y >= 0 and x + width <= 100 and y + height <= 80
    for x1, y1, x2, y2 in boxes:
        assert x <= max(x1, 0) and y <= max(y1, 0) and x + width >= min(x2, 100) and y + height >= min(y2, 80)


def test_an_object_under_another_one_says_how_much_of_it() -> None:
    diagnosis, verdict = lost_at(Rung.MATCHED_ELSEWHERE)
    cover = covered_by(diagnosis, 0)
    assert cover is not None and cover[0] == 1 and cover[1] == pytest.approx(20 / 24)
    assert aside(diagnosis, verdict) == "mechanism: calibration · 20 × 24 px · 83% under the box of #1 ring"
    assert covered_by(lost_at(Rung.FOUND)[0], 0) is None


# --- false positives ---


def false_diagnosis() -> Diagnosis:
    """A real tiny model's image with random objects: nearly everything is false."""
    detector = shared_detector("pyramid_per_class")
    return diagnose(Replayer(capture(detector, random_image(2)), detector).replay(), random_truth(2))


def test_every_false_positive_is_told_and_drawn_with_the_object_that_explains_it() -> None:
    diagnosis = false_diagnosis()
    assert diagnosis.false_positives
    for one in diagnosis.false_positives:
        boxes = false_positive_boxes(diagnosis, one)
        assert torch.equal(boxes[0].box, diagnosis.replay.boxes[one.detection])
        assert boxes[0].role is Role.FALSE
        assert [box.role for box in boxes[1:2]] == [Role.EXPLAINS] * (one.object is not None)
        assert one.reason in false_positive_story(diagnosis, one)
        assert f"cause: {one.cause}" in false_positive_aside(diagnosis, one)
        assert f"TIDE type: {one.tide}" in false_positive_aside(diagnosis, one)
    tiles = tiles_of(
        diagnosis.replay.trace.input.pixels, false_positive_boxes(diagnosis, diagnosis.false_positives[0])
    )
    assert all(isinstance(tile, Tile) for tile in tiles)


def test_the_ladder_as_pixels_has_a_bar_of_its_colour_for_each_rung_that_was_passed() -> None:
    for rung, color in ((Rung.ROI_CLASS, (0x00, 0x72, 0xB2)), (Rung.FOUND, (0x00, 0x9E, 0x73))):
        rows = ladder_rows(*lost_at(rung))
        drawing = ladder_picture(rows, "Why?")
        painted = (drawing == np.array(color)).all(axis=-1).any(axis=1)
        starts = int((np.diff(painted.astype(int)) == 1).sum())
        assert starts == sum(row.state == "passed" for row in rows)


def test_the_picture_of_a_price_tells_what_comes_from_what_goes() -> None:
    replayer, replay = lost_replay(Rung.BOX_LIMIT)
    assert isinstance(replay.trace.ground_truth, GroundTruth)
    before = diagnose(replay, replay.trace.ground_truth)
    after = diagnose(replayer.replay(replay.thresholds.replace(box_limit=2)), before.truth)
    there = {group.name: group for group in price_groups(before, after, price_between(before, after))}
    assert set(there) == {"found by it", "comes, true"}
    assert torch.allclose(there["comes, true"].boxes, torch.tensor([RING]).float(), atol=1e-3)
    back = {group.name: group for group in price_groups(after, before, price_between(after, before))}
    assert set(back) == {"lost by it", "goes, true"} and back["goes, true"].dash == "dot"
    unknown = price_groups(before, after, price_between(before, after), known=False)
    assert "comes" in {group.name for group in unknown}
